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
    private static let memoryLimit = 512 << 10
    private static let fanOut = 64
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

    /// Parts a spool by bits of the keys that no level above has used.
    private func split(_ spool: Spool, level: Int) throws -> [Spool] {
        var parts = (0..<Self.fanOut).map { _ in SpoolWriter(directory: temporaryDirectory) }
        try spool.forEachRecord { record in
            let bits = try SpooledRun.key(of: record).mixedBits >> UInt64(level * 6)
            try parts[Int(bits % UInt64(Self.fanOut))].append(Array(record))
        }
        return parts.map { $0.finish() }
    }

    private mutating func mergeInMemory(_ spool: Spool, onConflict: (RunConflict) -> Void) throws {
        var runs: [SpooledRun] = []
        var indexes: [RunKey: Int] = [:]
        try spool.forEachRecord { record in
            let run = try SpooledRun(decoding: record)
            let source = run.mention.source
            guard let index = indexes[run.key] else {
                indexes[run.key] = runs.count
                runs.append(run)
                itemCounts[source] += 1
                return
            }
            if !runs[index].sources.contains(source) {
                runs[index].sources.append(source)
                itemCounts[source] += 1
            }
            let keys = differingKeys(runs[index], run)
            if !keys.isEmpty { onConflict(RunConflict(first: runs[index], later: run, keys: keys)) }
        }
        runCount += runs.count
        for run in runs { try output.append(run.encoded()) }
    }

    private func differingKeys(_ first: SpooledRun, _ later: SpooledRun) -> [String] {
        let base = storedActions[first.key.storedActionID]
        let (firstSettings, laterSettings) = (first.settings.over(base), later.settings.over(base))
        return (first.executedAt == later.executedAt ? [] : ["executed_at"])
            + firstSettings.withDefaults.differingKeys(from: laterSettings.withDefaults)
    }
}
