import ExportCore
import Foundation

/// A run as it waits in a temporary file: compact, and without the settings of its stored action.
struct SpooledRun: Equatable {
    /// Where a manifest names the run.
    struct Mention: Equatable {
        /// The source's index.
        var source: Int
        /// Bytes before the place in the source.
        var offset: Int
        /// The line, or the index in `runs`.
        var index: Int
        /// The index in `run_ids`.
        var subindex: Int?
    }

    var key: RunKey
    var executedAt: Date?
    var settings: ManifestSettings
    /// The first mention.
    var mention: Mention
    /// The sources that name the run, by index, each once.
    var sources: [Int]

    /// The run as bytes; only this process ever reads them.
    func encoded() -> [UInt8] {
        var writer = RecordWriter()
        writer.add(key.storedActionID)
        writer.add(key.runID)
        writer.add(executedAt?.timeIntervalSinceReferenceDate.bitPattern)
        writer.add(mention.source)
        writer.add(mention.offset)
        writer.add(mention.index)
        writer.add(mention.subindex.map { UInt64($0) })
        writer.add(settings.label.map { Array($0.utf8) })
        writer.add(settings.followPages.map { $0 ? 1 : 0 })
        writer.add(settings.inputs)
        writer.add(settings.actionType.map { Array($0.utf8) })
        writer.add(settings.maxPages.map { UInt64($0) })
        writer.add(settings.firstPage.map { Array($0.utf8) })
        writer.add(sources.count)
        for source in sources { writer.add(source) }
        return writer.bytes
    }

    init(key: RunKey, executedAt: Date?, settings: ManifestSettings, mention: Mention) {
        self.key = key
        self.executedAt = executedAt
        self.settings = settings
        self.mention = mention
        sources = [mention.source]
    }

    /// The key alone, which an encoded run starts with.
    static func key(of record: ArraySlice<UInt8>) throws -> RunKey {
        var reader = RecordReader(rest: record)
        return RunKey(storedActionID: try reader.uuid(), runID: try reader.uuid())
    }

    init(decoding record: ArraySlice<UInt8>) throws {
        var reader = RecordReader(rest: record)
        key = RunKey(storedActionID: try reader.uuid(), runID: try reader.uuid())
        executedAt = try reader.optionalInteger().map { Date(timeIntervalSinceReferenceDate: Double(bitPattern: $0)) }
        mention = Mention(source: try reader.int(), offset: try reader.int(), index: try reader.int())
        mention.subindex = try reader.optionalInteger().map { Int(truncatingIfNeeded: $0) }
        settings = ManifestSettings()
        settings.label = try reader.optionalText()
        settings.followPages = try reader.optionalInteger().map { $0 == 1 }
        settings.inputs = try reader.optionalBytes().map { Array($0) }
        settings.actionType = try reader.optionalText()
        settings.maxPages = try reader.optionalInteger().map { Int(truncatingIfNeeded: $0) }
        settings.firstPage = try reader.optionalText()
        sources = []
        for _ in 0..<(try reader.int()) { sources.append(try reader.int()) }
    }
}

/// Integers as a count of their significant bytes and those bytes; an absent value as the count 255.
private struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ uuid: UUID) {
        withUnsafeBytes(of: uuid.uuid) { bytes.append(contentsOf: $0) }
    }

    mutating func add(_ integer: UInt64) {
        let count = 8 - integer.leadingZeroBitCount / 8
        bytes.append(UInt8(count))
        withUnsafeBytes(of: integer.littleEndian) { bytes.append(contentsOf: $0.prefix(count)) }
    }

    mutating func add(_ integer: Int) {
        add(UInt64(integer))
    }

    mutating func add(_ integer: UInt64?) {
        if let integer { add(integer) } else { bytes.append(255) }
    }

    mutating func add(_ content: [UInt8]?) {
        add(content.map { UInt64($0.count) })
        bytes += content ?? []
    }
}

private struct RecordReader {
    var rest: ArraySlice<UInt8>

    mutating func bytes(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count >= 0, rest.count >= count else { throw SpoolError(reason: "a record of it is damaged") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func uuid() throws -> UUID {
        let bytes = try bytes(16)
        return bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    mutating func optionalInteger() throws -> UInt64? {
        let count = Int(try bytes(1).first ?? 255)
        if count == 255 { return nil }
        return try bytes(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func int() throws -> Int {
        Int(truncatingIfNeeded: try optionalInteger() ?? 0)
    }

    mutating func optionalBytes() throws -> ArraySlice<UInt8>? {
        guard let count = try optionalInteger() else { return nil }
        return try bytes(Int(truncatingIfNeeded: count))
    }

    mutating func optionalText() throws -> String? {
        try optionalBytes().map { String(decoding: $0, as: UTF8.self) }
    }
}
