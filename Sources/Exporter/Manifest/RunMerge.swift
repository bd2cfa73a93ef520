import ExportCore
import Foundation

/// A run that is named twice with different settings.
struct RunConflict {
    var first: SpooledRun
    var later: SpooledRun
    /// The keys whose values differ.
    var keys: [String]
}

/// Merges the records of a spool, in which a run may occur several times, into one a run, in memory that does not grow
/// with it.
struct RunMerge {
    /// A spool of no more bytes is held in memory whole; a larger one is parted first.
    private static let memoryLimit = 2 << 20
    /// The bits of a key that choose its part on each level: into 64 parts at most.
    private static let levelBits = 6
    /// Beyond this the parts hold the same runs again and again, which cost no memory.
    private static let maxLevel = 4

    private let storedActions: [UUID: ManifestSettings]
    private let temporaryDirectory: String
    private var output: SpoolWriter

    private(set) var runCount = 0
    /// By source: how many different runs it names.
    private(set) var itemCounts: [Int]

    init(sourceCount: Int, storedActions: [UUID: ManifestSettings], temporaryDirectory: String) {
        self.storedActions = storedActions
        self.temporaryDirectory = temporaryDirectory
        output = SpoolWriter(directory: temporaryDirectory)
        itemCounts = Array(repeating: 0, count: sourceCount)
    }

    /// - Parameter onConflict: called for each mention of a run that differs from its first one.
    mutating func merge(_ spool: Spool, onConflict: (RunConflict) -> Void) throws {
        try merge(spool, level: 0, onConflict: onConflict)
    }

    consuming func finish() -> Spool {
        output.finish()
    }

    private mutating func merge(_ spool: Spool, level: Int, onConflict: (RunConflict) -> Void) throws {
        guard spool.byteCount > Self.memoryLimit, level < Self.maxLevel else {
            return try mergeInMemory(spool, onConflict: onConflict)
        }
        for part in try split(spool, level: level) { try merge(part, level: level + 1, onConflict: onConflict) }
    }

    /// Parts a spool by bits of the keys that no level above has used, into no more parts than fit into memory then.
    private func split(_ spool: Spool, level: Int) throws -> [Spool] {
        var count = 2
        while count < 1 << Self.levelBits, spool.byteCount / count > Self.memoryLimit / 2 { count *= 2 }
        var parts = (0..<count).map { _ in SpoolWriter(directory: temporaryDirectory) }
        try spool.forEachRecord { record in
            let bits = try RunRecordHead(record).mixedBits >> UInt64(level * Self.levelBits)
            try parts[Int(truncatingIfNeeded: bits) & (count - 1)].append(record)
        }
        return parts.map { $0.finish() }
    }

    private mutating func mergeInMemory(_ spool: Spool, onConflict: (RunConflict) -> Void) throws {
        var runs = FirstMentions(byteCount: min(spool.byteCount, Self.memoryLimit))
        try spool.forEachRecord { record in
            let head = try RunRecordHead(record)
            guard let first = try runs.insert(record, head) else {
                itemCounts[head.source] += 1
                return
            }
            if try runs.addSource(head.source, toRunAt: first) { itemCounts[head.source] += 1 }
            if try runs.head(at: first).isPlainlyAlike(head) { return }
            let (run, later) = (try runs.run(at: first), try SpooledRun(decoding: record))
            let keys = differingKeys(run, later)
            if !keys.isEmpty { onConflict(RunConflict(first: run, later: later, keys: keys)) }
        }
        runCount += runs.count
        try runs.write(to: &output)
    }

    private func differingKeys(_ first: SpooledRun, _ later: SpooledRun) -> [String] {
        let base = storedActions[first.key.storedActionID]
        let (firstSettings, laterSettings) = (first.settings.over(base), later.settings.over(base))
        return (first.executedAt == later.executedAt ? [] : ["executed_at"])
            + firstSettings.withDefaults.differingKeys(from: laterSettings.withDefaults)
    }
}
