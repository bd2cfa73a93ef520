/// Reads a manifest in CSV: a header of a run's keys in any order, then one run a record.
struct CSVManifest {
    private let source: Int
    private var columns: [String] = []

    static func read(_ stream: ByteStream, source: Int, into collector: inout ManifestCollector) throws {
        var records = CSVRecords(stream, recordLimit: collector.pieceLimit)
        guard let header = try records.next() else {
            if collector.allowsEmpty { return }
            let example = ManifestKeys.csvColumns.prefix(3).joined(separator: ",")
            collector.addProblem(
                "the text is empty: its first line must name the columns, such as \(example)", at: "", source: source,
                offset: 0)
            return
        }
        var manifest = CSVManifest(source: source)
        // Without a header nothing can be said of what follows.
        guard manifest.readHeader(header, into: &collector) else { return }
        let keys = manifest.columns.compactMap { PlainKey(column: $0) }
        while true {
            try records.takeLines { bytes, line, offset in
                guard let run = PlainRun(record: bytes, columns: keys) else { return false }
                try collector.add(run, at: .line(line), source: source, offset: offset)
                return true
            }
            guard let record = try records.next() else { return }
            try manifest.read(record, into: &collector)
        }
    }

    private init(source: Int) {
        self.source = source
    }

    /// Whether the records can be read under this header.
    private mutating func readHeader(_ record: CSVRecords.Record, into collector: inout ManifestCollector) -> Bool {
        let place = ManifestPlace.line(record.line)
        var findings: [FieldReader.Finding] = []
        if let fault = record.fault { findings.append(.init(key: nil, message: fault)) }
        for field in record.fields where record.fault == nil {
            let column = String(decoding: field, as: UTF8.self)
            if column == "run_ids" {
                findings.append(
                    .init(key: column, message: "is for JSON manifests: write one record with run_id for each run"))
            } else if !ManifestKeys.csvColumns.contains(column) {
                let message = unknownKeyMessage(column, noun: "column", known: ManifestKeys.csvColumns)
                findings.append(.init(key: column, message: message))
            } else if columns.contains(column) {
                findings.append(.init(key: column, message: "duplicate column: remove one"))
            }
            columns.append(column)
        }
        for column in ["stored_action_id", "run_id"] where record.fault == nil && !columns.contains(column) {
            findings.append(.init(key: column, message: "missing: the header needs this column"))
        }
        collector.addFindings(findings, at: place, source: source, offset: record.offset)
        return findings.isEmpty
    }

    private func read(_ record: CSVRecords.Record, into collector: inout ManifestCollector) throws {
        let place = ManifestPlace.line(record.line)
        var findings: [FieldReader.Finding] = []
        var cells: [String] = []
        if let fault = record.fault {
            findings.append(.init(key: nil, message: fault))
        } else if record.fields.count != columns.count {
            let message = "has \(record.fields.count) fields, but the header names \(columns.count)"
            let isCut = record.isOpen && record.fields.count < columns.count
            let cure = isCut ? cutShortMessage : "put fields that hold commas in quotes, and leave absent ones empty"
            findings.append(.init(key: nil, message: "\(message): \(cure)"))
        } else {
            for (column, field) in zip(columns, record.fields) {
                if let cell = String(validating: field, as: UTF8.self) {
                    cells.append(cell)
                } else {
                    findings.append(.init(key: column, message: "the text is not UTF-8: save it as UTF-8"))
                }
            }
        }
        guard findings.isEmpty else {
            return collector.addFindings(findings, at: place, source: source, offset: record.offset)
        }
        var run = RunFields(columns: columns, cells: cells)
        if record.isOpen, let column = columns.last, let cell = cells.last {
            for index in run.findings.indices where run.findings[index].key == column {
                run.findings[index].message += "; \(cutShortMessage)"
            }
            if run.findings.isEmpty, cell.isEmpty || Self.isValidWhenCut(column) {
                collector.addWarning(
                    "the file ends here without a line end; if it was cut short, so was this value",
                    at: place.text(column),
                    source: source)
            }
        }
        try collector.add(run, at: place, source: source, offset: record.offset)
    }

    /// Whether the beginning of such a value is as valid as the whole.
    private static func isValidWhenCut(_ column: String) -> Bool {
        ["label", "action_type", "max_pages", "first_page"].contains(column)
    }
}
