import ExportCore
import Foundation

/// What one call of `export` has still to ask for: the call's own, outside the database, and in temporary files where it
/// is long. A lost connection costs nothing of it.
actor WorkList {
    private let directory: String
    private var queues: [WorkQueue: SpillQueue] = [:]
    /// The roots whose chains may end, or end otherwise, in this export.
    private var chainRoots: SpillQueue
    /// Items taken from the list, not asked for before, and not stored yet; with the order in which they were taken.
    private var inHand: [RunKey: Int] = [:]
    private var takenCount = 0

    /// - Parameter directory: of temporary files.
    init(directory: String) {
        self.directory = directory
        chainRoots = SpillQueue(directory: directory)
    }

    /// - Throws: `SpoolError`, as everything here.
    func add(_ entries: [WorkEntry], to queue: WorkQueue) throws {
        for entry in entries { try queues[queue, default: SpillQueue(directory: directory)].push(entry) }
    }

    func add(chainRoots roots: [RunKey]) throws {
        for root in roots {
            try chainRoots.push(WorkEntry(rank: .distantPast, item: RunItem(key: root, expiresAt: .distantPast)))
        }
    }

    /// Takes the next entries of the queue out of the list.
    func take(_ queue: WorkQueue, limit: Int) throws -> [WorkEntry] {
        var entries: [WorkEntry] = []
        while entries.count < limit, let entry = try queues[queue]?.popFirst() { entries.append(entry) }
        if queue.isOfFirstAsking {
            for entry in entries {
                takenCount += 1
                inHand[entry.item.key] = takenCount
            }
        }
        return entries
    }

    /// An answer to them is stored.
    func stored(_ keys: some Sequence<RunKey>) {
        for key in keys where inHand.removeValue(forKey: key) != nil { storedCount += 1 }
    }

    /// Items taken from the list and not stored yet, in the order in which they are asked for.
    var keysInHand: [RunKey] { inHand.sorted { $0.value < $1.value }.map(\.key) }

    // MARK: The end

    /// Items whose first answer is stored.
    private(set) var storedCount = 0

    /// Takes out the suspects that the export has not come to.
    func takeSuspects() throws -> [RunKey] { try take(.suspects, limit: .max).map(\.item.key) }

    /// What is left: the items that were not asked for, or whose answer was not stored, and the roots of chains.
    ///
    /// - Parameter unopened: runs of the manifests that are not in the list yet.
    func notReached(unopened: NotReached.Unopened?) -> NotReached {
        NotReached(
            inHand: Array(inHand.keys),
            queues: WorkQueue.allCases.filter(\.isOfFirstAsking).compactMap { queues[$0] }, unopened: unopened,
            chainRoots: chainRoots)
    }
}

extension WorkQueue {
    /// Its items are the manifests' runs that this export has not asked for.
    fileprivate var isOfFirstAsking: Bool {
        switch self {
        case .first, .late, .suspects: true
        case .polls, .chains, .storedPages: false
        }
    }
}
