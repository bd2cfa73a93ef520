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
    /// The other sources that name the run, by index, each once.
    var otherSources: [Int] = []

    init(key: RunKey, executedAt: Date?, settings: ManifestSettings, mention: Mention) {
        self.key = key
        self.executedAt = executedAt
        self.settings = settings
        self.mention = mention
    }

    /// - Parameter record: what `append(to:)` wrote.
    init(decoding record: UnsafeRawBufferPointer) throws {
        let head = try RunRecordHead(record)
        self.init(key: head.key, executedAt: head.executedAt, settings: ManifestSettings(), mention: head.mention)
        if head.hasRest { try decodeRest(RecordReader(record, from: RunRecordHead.size)) }
    }

    func append(to spool: inout SpoolWriter) throws {
        let hasRest = mention.subindex != nil || !otherSources.isEmpty || settings.hasAny
        let head = RunRecordHead(
            storedActionID: PackedUUID(key.storedActionID), runID: PackedUUID(key.runID), executedAt: executedAt,
            source: mention.source, offset: mention.offset, index: mention.index, hasRest: hasRest)
        try spool.append(head, hasRest ? encodedRest() : [])
    }

    private func encodedRest() -> [UInt8] {
        var writer = RecordWriter()
        writer.add(mention.subindex.map { UInt64($0) })
        writer.add(settings.label.map { Array($0.utf8) })
        writer.add(settings.followPages.map { $0 ? 1 : 0 })
        writer.add(settings.inputs)
        writer.add(settings.actionType.map { Array($0.utf8) })
        writer.add(settings.maxPages.map { UInt64($0) })
        writer.add(settings.firstPage.map { Array($0.utf8) })
        writer.add(otherSources.count)
        for source in otherSources { writer.add(source) }
        return writer.bytes
    }

    private mutating func decodeRest(_ reader: consuming RecordReader) throws {
        mention.subindex = try reader.optionalInteger().map { Int(truncatingIfNeeded: $0) }
        settings.label = try reader.optionalText()
        settings.followPages = try reader.optionalInteger().map { $0 == 1 }
        settings.inputs = try reader.optionalBytes().map { Array($0) }
        settings.actionType = try reader.optionalText()
        settings.maxPages = try reader.optionalInteger().map { Int(truncatingIfNeeded: $0) }
        settings.firstPage = try reader.optionalText()
        for _ in 0..<(try reader.int()) { otherSources.append(try reader.int()) }
    }
}

extension ManifestSettings {
    fileprivate var hasAny: Bool {
        label != nil || followPages != nil || inputs != nil || actionType != nil || maxPages != nil || firstPage != nil
    }
}
