import ExportCore
import Foundation

/// An item of the work list with its place in its queue: the lowest rank comes first, and of the same rank the lowest
/// key.
struct WorkEntry: Comparable, Sendable {
    /// When its result expires, when a poll is due, or what else the queue is ordered by.
    var rank: Date
    var item: RunItem

    static func < (a: WorkEntry, b: WorkEntry) -> Bool {
        if a.rank != b.rank { return a.rank < b.rank }
        let (a, b) = (a.item.key, b.item.key)
        return (a.storedActionID, a.runID) < (b.storedActionID, b.runID)
    }

    static func == (a: WorkEntry, b: WorkEntry) -> Bool { a.rank == b.rank && a.item == b.item }
}

/// An entry as bytes in a temporary file, all of the same length: only this process ever reads them. What a run gathers
/// while it is in memory (failures, requests that are not counted yet) does not go into the file: no such run does.
extension WorkEntry {
    static let byteCount = 108

    private struct Flags: OptionSet {
        var rawValue: UInt8
        static let seenAlive = Flags(rawValue: 1)
        static let isStored = Flags(rawValue: 2)
        static let wasForbidden = Flags(rawValue: 4)
        static let isSuspect = Flags(rawValue: 8)
        static let followsPages = Flags(rawValue: 16)
        static let isPage = Flags(rawValue: 32)
        static let isRefetch = Flags(rawValue: 64)
    }

    func append(to bytes: inout [UInt8]) {
        var flags: Flags = []
        if item.seenAlive { flags.insert(.seenAlive) }
        if item.isStored { flags.insert(.isStored) }
        if item.wasForbidden { flags.insert(.wasForbidden) }
        if item.isSuspect { flags.insert(.isSuspect) }
        if item.followsPages { flags.insert(.followsPages) }
        if item.page != nil { flags.insert(.isPage) }
        if item.page?.isRefetch == true { flags.insert(.isRefetch) }
        bytes.append(value: item.key.storedActionID.uuid)
        bytes.append(value: item.key.runID.uuid)
        bytes.append(value: rank.timeIntervalSinceReferenceDate)
        bytes.append(value: item.expiresAt.timeIntervalSinceReferenceDate)
        bytes.append(value: item.executedAt?.timeIntervalSinceReferenceDate ?? .nan)
        bytes.append(value: Int64(item.manifestPosition ?? -1))
        bytes.append(value: (item.page?.root.storedActionID ?? item.key.storedActionID).uuid)
        bytes.append(value: (item.page?.root.runID ?? item.key.runID).uuid)
        bytes.append(value: (item.page?.submittedAt ?? item.expiresAt).timeIntervalSinceReferenceDate)
        bytes.append(value: Int16(clamping: item.polls))
        bytes.append(value: UInt8(clamping: item.quotedThrottles))
        bytes.append(value: flags.rawValue)
    }

    /// - Parameter bytes: `byteCount` of them, as `append(to:)` wrote them.
    init(_ bytes: UnsafeRawBufferPointer) {
        func read<T: BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
            bytes.loadUnaligned(fromByteOffset: offset, as: type)
        }
        func date(at offset: Int) -> Date { Date(timeIntervalSinceReferenceDate: read(Double.self, at: offset)) }
        func key(at offset: Int) -> RunKey {
            RunKey(
                storedActionID: UUID(uuid: read(uuid_t.self, at: offset)),
                runID: UUID(uuid: read(uuid_t.self, at: offset + 16)))
        }
        let flags = Flags(rawValue: read(UInt8.self, at: 107))
        let executedAt = read(Double.self, at: 48)
        var item = RunItem(
            key: key(at: 0),
            executedAt: executedAt.isNaN ? nil : Date(timeIntervalSinceReferenceDate: executedAt),
            expiresAt: date(at: 40), seenAlive: flags.contains(.seenAlive), polls: Int(read(Int16.self, at: 104)))
        item.isStored = flags.contains(.isStored)
        item.wasForbidden = flags.contains(.wasForbidden)
        item.isSuspect = flags.contains(.isSuspect)
        item.followsPages = flags.contains(.followsPages)
        item.quotedThrottles = Int(read(UInt8.self, at: 106))
        let position = read(Int64.self, at: 56)
        item.manifestPosition = position < 0 ? nil : Int(position)
        if flags.contains(.isPage) {
            item.page = PageOfChain(
                root: key(at: 64), submittedAt: date(at: 96), isRefetch: flags.contains(.isRefetch))
        }
        self.init(rank: date(at: 32), item: item)
    }
}

extension [UInt8] {
    fileprivate mutating func append<T: BitwiseCopyable>(value: T) {
        Swift.withUnsafeBytes(of: value) { append(contentsOf: $0) }
    }
}
