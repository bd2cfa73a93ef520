import JSONText

/// Reads a manifest in JSON: an object of version, name, stored_actions and runs, the latter two of any length.
struct JSONManifest {
    private static let version = 1

    private let source: Int
    private var collector: ManifestCollector
    private var name: String?

    /// - Returns: the name that the manifest gives itself.
    /// - Throws: `ManifestSyntaxFault` where the text can't be read on; what was found before it is in the collector.
    static func read(_ stream: ByteStream, source: Int, into collector: inout ManifestCollector) throws -> String? {
        var manifest = JSONManifest(source: source, collector: collector)
        defer { collector = manifest.collector }
        var cutter = JSONCutter(stream, pieceLimit: collector.pieceLimit)
        try manifest.readAll(&cutter)
        return manifest.name
    }

    private init(source: Int, collector: ManifestCollector) {
        self.source = source
        self.collector = collector
    }

    private mutating func readAll(_ cutter: inout JSONCutter) throws {
        guard let first = try cutter.peek() else {
            throw cutter.fault("the text is empty: write {\"version\": 1, \"runs\": []} for a manifest of no runs")
        }
        guard first == UInt8(ascii: "{") else {
            throw cutter.fault("a manifest is an object: write {\"version\": 1, \"runs\": [...]}")
        }
        var seen: Set<String> = []
        try cutter.forEachMember { cutter, key in
            if !ManifestKeys.top.contains(key) {
                addProblem(unknownKeyMessage(key, noun: "key", known: ManifestKeys.top), at: .top(key: key), cutter)
                _ = try cutter.readPiece()
            } else if !seen.insert(key).inserted {
                addProblem("duplicate key: remove one", at: .top(key: key), cutter)
                _ = try cutter.readPiece()
            } else {
                try readValue(of: key, &cutter)
            }
        }
        if let next = try cutter.peek() {
            let hint = next == UInt8(ascii: "{") ? "; if it holds one run a line, name it .jsonl" : ""
            throw cutter.fault("something follows after the end of the manifest\(hint)")
        }
        if !seen.contains("version") { addProblem("missing: write \"version\": 1", at: .top(key: "version"), cutter) }
        if !seen.contains("runs") { addProblem("missing: write \"runs\": [...]", at: .top(key: "runs"), cutter) }
    }

    private mutating func readValue(of key: String, _ cutter: inout JSONCutter) throws {
        let first = try cutter.require()
        switch key {
        case "runs" where first == UInt8(ascii: "["):
            try cutter.forEachElement { cutter, index in
                let place = ManifestPlace.element(index)
                _ = try cutter.require()
                let offset = cutter.offset
                if let run = try cutter.takePlainRun() {
                    return try collector.add(run, at: place, source: source, offset: offset)
                }
                guard let value = try piece(&cutter, at: place) else { return }
                try collector.add(RunFields(element: value), at: place, source: source, offset: offset)
            }
        case "stored_actions" where first == UInt8(ascii: "{"):
            try cutter.forEachMember { cutter, key in try readStoredAction(key, &cutter) }
        default:
            let offset = cutter.offset
            guard let value = try piece(&cutter, at: .top(key: key)) else { return }
            if let message = readScalar(value, of: key) {
                collector.addProblem(message, at: key, source: source, offset: offset)
            }
        }
    }

    /// What is wrong with a value that is not a list; nil if nothing is.
    private mutating func readScalar(_ value: JSONValue, of key: String) -> String? {
        let field = FieldValue.json(value)
        switch key {
        case "version":
            if value.int == Self.version { return nil }
            guard let number = value.int else { return "is \(field.kindText): write the number \(Self.version)" }
            return "version \(number) is not supported: this program reads version \(Self.version)"
        case "name":
            guard let name = value.string else { return "is \(field.kindText): write a string" }
            self.name = name
            return manifestNameFault(name)
        case "runs": return "is \(field.kindText): write an array of runs"
        default: return "is \(field.kindText): write an object whose keys are stored action ids"
        }
    }

    private mutating func readStoredAction(_ key: String, _ cutter: inout JSONCutter) throws {
        let place = ManifestPlace.storedAction(key)
        let offset = cutter.offset
        guard let value = try piece(&cutter, at: place) else { return }
        guard let id = parseUUID(key) else {
            addProblem(
                "\(glimpse(key)) is not a UUID: the keys of stored_actions are stored action ids", at: place, cutter)
            return
        }
        guard value.kind == .object else {
            let message = "is \(FieldValue.json(value).kindText): write an object such as {\"label\": \"new_leads\"}"
            return collector.addProblem(message, at: place.text(), source: source, offset: offset)
        }
        var reader = FieldReader(members: value.members(), known: ManifestKeys.settings)
        let settings = reader.settings()
        collector.addFindings(reader.findings, at: place, source: source, offset: offset)
        if collector.storedActions.isNamed(id, in: source) {
            let message = "duplicate stored action: remove one"
            collector.addProblem(message, at: place.text(), source: source, offset: offset)
        } else {
            collector.addStoredAction(settings, of: id, at: place, source: source, offset: offset)
        }
    }

    /// The value that comes next, unless it is too large to hold or nests too deep, which is reported.
    private mutating func piece(_ cutter: inout JSONCutter, at place: ManifestPlace) throws -> JSONValue? {
        let offset = cutter.offset
        switch try cutter.readPiece() {
        case .value(let value) where !isTooDeep(value): return value
        case .value:
            collector.addProblem(
                "nests deeper than \(FieldReader.depthLimit) levels", at: place.text(), source: source, offset: offset)
        case .tooLarge:
            collector.addProblem(
                "is larger than \(byteCountText(collector.pieceLimit))", at: place.text(), source: source,
                offset: offset)
        }
        return nil
    }

    private mutating func addProblem(_ message: String, at place: ManifestPlace, _ cutter: JSONCutter) {
        collector.addProblem(message, at: place.text(), source: source, offset: cutter.offset)
    }
}
