import Foundation
import JSONText
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The fast path of reading a manifest")
struct PlainRunTests {
    @Test("Ordinary lines of JSON Lines take it", arguments: OrdinaryLines.json)
    func ordinaryLine(line: String) throws {
        #expect(try PlainReading(line: Array(line.utf8)) != nil)
    }

    @Test("Ordinary records of CSV take it", arguments: OrdinaryLines.csv)
    func ordinaryRecord(line: String) throws {
        #expect(try PlainReading(record: Array(line.utf8), columns: OrdinaryLines.columns) != nil)
    }

    @Test(
        "What it reads of a line, the general reader reads the same; where that refuses, it does too", arguments: 1...4)
    func lines(seed: UInt64) throws {
        var random = LineMutator(seed: seed)
        var taken = 0
        for _ in 0..<20_000 {
            let line = random.mutated(OrdinaryLines.json)
            guard let fast = try PlainReading(line: line) else { continue }
            taken += 1
            let general = (try? JSONValue(validating: line)).map { RunFields(line: $0) }
            let text = String(decoding: line, as: UTF8.self)
            #expect(fast == general.flatMap(PlainReading.init), "\(text)")
        }
        #expect(taken > 2_000)
    }

    @Test("The same holds for records of CSV", arguments: 1...4)
    func records(seed: UInt64) throws {
        var random = LineMutator(seed: seed)
        var taken = 0
        for _ in 0..<20_000 {
            let line = random.mutated(OrdinaryLines.csv)
            guard let fast = try PlainReading(record: line, columns: OrdinaryLines.columns) else { continue }
            taken += 1
            let text = String(decoding: line, as: UTF8.self)
            #expect(fast == PlainReading(generallyReading: line, columns: OrdinaryLines.columns), "\(text)")
        }
        #expect(taken > 2_000)
    }

    // Lines and elements take the fast path only where they are in memory whole, so a text that comes in byte by byte is
    // read by the general reader alone.
    @Test("A whole text yields the same runs, places and problems with it and without", arguments: 1...6)
    func texts(seed: UInt64) throws {
        var random = LineMutator(seed: seed)
        for format in [ManifestFormat.jsonLines, .csv, .json] {
            let text = random.text(of: 200, format)
            let whole = try TextReading(text, format, chunkSize: .max)
            let bytewise = try TextReading(text, format, chunkSize: 1)
            #expect(whole == bytewise)
            #expect(try whole == TextReading(text, format, chunkSize: 700))
            #expect(!whole.runs.isEmpty)
        }
    }
}

/// What one line says, read either way.
private struct PlainReading: Equatable {
    var key: RunKey
    var executedAt: Date?
    var settings: ManifestSettings

    /// By the fast path; nil where it declines.
    init?(line: [UInt8]) throws {
        guard let reading = try line.withUnsafeBytes({ try PlainRun(line: $0).map { try Self($0) } }) else {
            return nil
        }
        self = reading
    }

    /// By the fast path; nil where it declines.
    init?(record: [UInt8], columns: [String]) throws {
        let keys = columns.compactMap { PlainKey(column: $0) }
        let reading = try record.withUnsafeBytes { try PlainRun(record: $0, columns: keys).map { try Self($0) } }
        guard let reading else { return nil }
        self = reading
    }

    /// By the general reader; nil where it refuses.
    init?(generallyReading record: [UInt8], columns: [String]) {
        var rest = record
        var records = CSVRecords(
            ByteStream {
                defer { rest = [] }
                return rest
            }, recordLimit: 1 << 20)
        guard let first = try? records.next(), first.fault == nil, first.fields.count == columns.count,
            (try? records.next()) == .some(nil)
        else { return nil }
        let cells = first.fields.compactMap { String(validating: $0, as: UTF8.self) }
        guard cells.count == columns.count else { return nil }
        self.init(RunFields(columns: columns, cells: cells))
    }

    /// Nil if anything is wrong.
    init?(_ fields: RunFields) {
        guard fields.findings.isEmpty, fields.runs.count == 1, fields.runs[0].index == nil else { return nil }
        key = fields.runs[0].key
        executedAt = fields.executedAt
        settings = fields.settings
    }

    /// By way of the record that is written of it.
    private init(_ run: PlainRun) throws {
        let head = RunRecordHead(
            storedActionID: run.storedActionID, runID: run.runID, executedAt: run.executedAt, source: 0, offset: 0,
            index: 0, hasRest: true)
        var rest = RecordWriter()
        run.settings.write(to: &rest)
        let record = withUnsafeBytes(of: head) { Array($0) } + rest.bytes
        let spooled = try record.withUnsafeBytes { try SpooledRun(decoding: $0) }
        (key, executedAt, settings) = (spooled.key, spooled.executedAt, spooled.settings)
    }
}

/// What comes of a text.
private struct TextReading: Equatable {
    var runs: [SpooledRun] = []
    var problems: [ManifestProblem]
    var warnings: [ManifestProblem]
    var fault: ManifestSyntaxFault?

    init(_ text: [UInt8], _ format: ManifestFormat, chunkSize: Int) throws {
        var rest = text[...]
        let stream = ByteStream {
            defer { rest = rest.dropFirst(chunkSize) }
            return Array(rest.prefix(chunkSize))
        }
        var collector = ManifestCollector(
            sources: [ManifestSource(.standardInput)], pieceLimit: 600, maxProblems: .max,
            temporaryDirectory: NSTemporaryDirectory())
        do {
            switch format {
            case .json: _ = try JSONManifest.read(stream, source: 0, into: &collector)
            case .jsonLines: try LinesManifest.read(stream, source: 0, into: &collector)
            case .csv: try CSVManifest.read(stream, source: 0, into: &collector)
            }
        } catch let fault as ManifestSyntaxFault {
            self.fault = fault
        }
        problems = collector.problems.first
        warnings = collector.warnings
        var runs: [SpooledRun] = []
        try collector.runs.finish().forEachRecord { runs.append(try SpooledRun(decoding: $0)) }
        self.runs = runs
    }
}
