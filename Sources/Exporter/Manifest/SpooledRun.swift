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
        guard hasRest else { return try spool.append(head) }
        var rest = RecordWriter()
        rest.addRest(
            subindex: mention.subindex, label: settings.label?.utf8, followPages: settings.followPages,
            inputs: settings.inputs, actionType: settings.actionType?.utf8, maxPages: settings.maxPages,
            firstPage: settings.firstPage?.utf8, otherSources: otherSources)
        try spool.append(head, rest.bytes)
    }

    private mutating func decodeRest(_ reader: consuming RecordReader) throws {
        mention.subindex = try reader.optionalInt()
        settings.label = try reader.optionalText()
        settings.followPages = try reader.optionalFlag()
        settings.inputs = try reader.optionalBytes().map { Array($0) }
        settings.actionType = try reader.optionalText()
        settings.maxPages = try reader.optionalInt()
        settings.firstPage = try reader.optionalText()
        for _ in 0..<(try reader.int()) { otherSources.append(try reader.int()) }
    }
}

extension ManifestSettings {
    fileprivate var hasAny: Bool {
        label != nil || followPages != nil || inputs != nil || actionType != nil || maxPages != nil || firstPage != nil
    }
}

extension RecordWriter {
    /// What follows the head of a run's record, in the order in which `SpooledRun` reads it.
    mutating func addRest<Text: Collection<UInt8>, Object: Collection<UInt8>>(
        subindex: Int?, label: Text?, followPages: Bool?, inputs: Object?, actionType: Text?, maxPages: Int?,
        firstPage: Text?, otherSources: [Int]
    ) {
        add(subindex)
        add(label)
        add(followPages)
        add(inputs)
        add(actionType)
        add(maxPages)
        add(firstPage)
        add(otherSources.count)
        for source in otherSources { add(source) }
    }
}
