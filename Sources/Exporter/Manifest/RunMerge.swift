import ExportCore
import Foundation

/// A run that is named twice with different settings.
struct RunConflict {
    var first: SpooledRun
    var later: SpooledRun
    /// The keys whose values differ.
    var keys: [String]
}

/// Merges the records of a spool, in which a run may occur several times, into one a run, in key order and in memory that
/// does not grow with it. In that order neighbours share pages of the database's indexes.
struct RunMerge {
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
        var sort = RunSort(directory: temporaryDirectory)
        try spool.forEachRecord { try sort.add($0) }
        var first = FirstMention()
        try sort.forEachRecord { record in
            let head = try RunRecordHead(record)
            guard let firstHead = first.head, firstHead.hasSameKey(as: head) else {
                try first.write(to: &output)
                first.set(record, head)
                runCount += 1
                itemCounts[head.source] += 1
                return
            }
            if first.addSource(head.source) { itemCounts[head.source] += 1 }
            if firstHead.isPlainlyAlike(head) { return }
            let (run, later) = (try first.run, try SpooledRun(decoding: record))
            let keys = differingKeys(run, later)
            if !keys.isEmpty { onConflict(RunConflict(first: run, later: later, keys: keys)) }
        }
        try first.write(to: &output)
    }

    consuming func finish() -> Spool {
        output.finish()
    }

    private func differingKeys(_ first: SpooledRun, _ later: SpooledRun) -> [String] {
        let base = storedActions[first.key.storedActionID]
        let (firstSettings, laterSettings) = (first.settings.over(base), later.settings.over(base))
        return (first.executedAt == later.executedAt ? [] : ["executed_at"])
            + firstSettings.withDefaults.differingKeys(from: laterSettings.withDefaults)
    }
}

/// The record that names a run for the first time, and the other sources that name it.
private struct FirstMention {
    /// nil before the first run.
    private(set) var head: RunRecordHead?
    private var record: [UInt8] = []
    private var otherSources: [Int] = []

    mutating func set(_ record: UnsafeRawBufferPointer, _ head: RunRecordHead) {
        self.head = head
        self.record.removeAll(keepingCapacity: true)
        self.record.append(contentsOf: record)
        otherSources.removeAll(keepingCapacity: true)
    }

    /// - Returns: whether the source did not name the run before.
    mutating func addSource(_ source: Int) -> Bool {
        guard head?.source != source, !otherSources.contains(source) else { return false }
        otherSources.append(source)
        return true
    }

    var run: SpooledRun {
        get throws {
            var run = try record.withUnsafeBytes { try SpooledRun(decoding: $0) }
            run.otherSources = otherSources
            return run
        }
    }

    func write(to spool: inout SpoolWriter) throws {
        guard head != nil else { return }
        if otherSources.isEmpty { try spool.append(record) } else { try run.append(to: &spool) }
    }
}
