import ExportCore
import Foundation

/// What each record of a spooled run begins with. Most runs have nothing more, so they are written, merged and read as
/// these few words, without decoding field by field. Only this process ever reads them.
struct RunRecordHead: BitwiseCopyable {
    static let size = MemoryLayout<RunRecordHead>.size

    let storedActionID: PackedUUID
    let runID: PackedUUID
    /// Seconds as `Date` counts them; NaN if the run has no date.
    private let executedAtSeconds: Double
    private let offset: Int
    private let index: Int
    private let sourceIndex: UInt32
    private let restFlag: UInt32

    @inline(__always)
    init(
        storedActionID: PackedUUID, runID: PackedUUID, executedAt: Date?, source: Int, offset: Int, index: Int,
        hasRest: Bool
    ) {
        self.storedActionID = storedActionID
        self.runID = runID
        executedAtSeconds = executedAt?.timeIntervalSinceReferenceDate ?? .nan
        self.offset = offset
        self.index = index
        sourceIndex = UInt32(source)
        restFlag = hasRest ? 1 : 0
    }

    /// The head of a record.
    @inline(__always)
    init(_ record: UnsafeRawBufferPointer) throws(SpoolError) {
        guard record.count >= Self.size else { throw SpoolError(reason: "a record of it is damaged") }
        self = record.loadUnaligned(as: RunRecordHead.self)
    }

    var key: RunKey {
        RunKey(storedActionID: storedActionID.uuid, runID: runID.uuid)
    }

    var executedAt: Date? {
        executedAtSeconds.isNaN ? nil : Date(timeIntervalSinceReferenceDate: executedAtSeconds)
    }

    var mention: SpooledRun.Mention {
        SpooledRun.Mention(source: source, offset: offset, index: index)
    }

    var source: Int { Int(sourceIndex) }

    /// Whether settings, an index in `run_ids` or other sources follow.
    var hasRest: Bool { restFlag != 0 }

    @inline(__always)
    func hasSameKey(as other: RunRecordHead) -> Bool {
        storedActionID == other.storedActionID && runID == other.runID
    }

    /// Whether both say the same of the run, which then needs no decoding; false if that can't be seen here.
    func isPlainlyAlike(_ other: RunRecordHead) -> Bool {
        !hasRest && !other.hasRest && executedAtSeconds.bitPattern == other.executedAtSeconds.bitPattern
    }
}
