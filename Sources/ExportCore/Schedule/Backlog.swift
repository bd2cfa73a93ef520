import Foundation

/// What of an export's work is only in the database: the scheduler reads it a batch at a time, so that memory does not
/// grow with the export.
struct Backlog: Sendable {
    private let batchSize: Int
    private var cursors: [WorkQueue: WorkCursor] = [:]
    private var reading: Set<WorkQueue> = []
    private var exhausted: Set<WorkQueue>
    /// A batch of polls that brought nothing new is read again only after something has been committed.
    private var doPollsAwaitCommit = false
    /// Every item in memory, from its batch to its commit: another batch may hold it again.
    private var tracked: Set<RunKey> = []
    private var isCommitting = false
    /// A stored page that was to be fetched again was released.
    private(set) var hasReleasedPages = false

    init(_ options: Scheduler.Options) {
        batchSize = options.batchSize
        exhausted = options.refetch ? [.polls] : [.polls, .storedPages]
        if !options.hasSuspects { exhausted.insert(.suspects) }
    }

    var isReading: Bool { !reading.isEmpty }

    func isReading(_ queue: WorkQueue) -> Bool { reading.contains(queue) }

    func isExhausted(_ queue: WorkQueue) -> Bool { exhausted.contains(queue) }

    /// - Parameters:
    ///   - count: of the queue's items in memory.
    ///   - least: in memory, below which more are wanted.
    func wants(_ queue: WorkQueue, have count: Int, least: Int) -> Bool {
        guard count <= least, !exhausted.contains(queue), !reading.contains(queue) else { return false }
        switch queue {
        case .first, .storedPages, .chains: return true
        case .late, .suspects: return !isCommitting
        case .polls: return !isCommitting && !doPollsAwaitCommit
        }
    }

    /// - Returns: the item behind which the batch is to begin.
    mutating func read(_ queue: WorkQueue) -> WorkCursor? {
        reading.insert(queue)
        return cursors[queue]
    }

    /// - Returns: those of the batch that are not in memory yet.
    mutating func hasRead(_ queue: WorkQueue, _ items: [RunItem]) -> [RunItem] {
        reading.remove(queue)
        if items.count < batchSize { exhausted.insert(queue) }
        if let last = items.last, queue != .polls, queue != .suspects {
            cursors[queue] = WorkCursor(expiresAt: last.expiresAt, key: last.key)
        }
        if queue == .storedPages { return items }
        let new = items.filter { tracked.insert($0.key).inserted }
        if queue == .polls { doPollsAwaitCommit = new.isEmpty }
        return new
    }

    mutating func hasReadChains() { reading.remove(.chains) }

    func isTracked(_ item: RunItem) -> Bool { tracked.contains(item.key) }

    /// The item leaves memory; what is not settled comes again with a later batch.
    mutating func untrack(_ item: RunItem) { tracked.remove(item.key) }

    /// The item is not asked for again in this export: it stays in the queue that the database holds.
    mutating func release(_ item: RunItem) {
        switch item.page {
        case nil: untrack(item)
        case let page?: if page.isRefetch { hasReleasedPages = true }
        }
    }

    // MARK: Commits

    /// A batch that is being read may hold items whose commit it cannot know, so a commit waits for it, and such a
    /// batch for a commit. Otherwise its items might arrive after their commit and be asked for again.
    var mayCommit: Bool { !isCommitting && reading.isDisjoint(with: [.late, .suspects, .polls]) }

    mutating func commitBegins() { isCommitting = true }

    mutating func commitEnds() { isCommitting = false }

    /// A run's state is in the database.
    mutating func committed() { doPollsAwaitCommit = false }

    /// A poll is in the database alone.
    mutating func pollStored(_ item: RunItem) {
        tracked.remove(item.key)
        exhausted.remove(.polls)
    }

    /// The database is lost: nothing waits for it.
    mutating func abandon() { reading = [] }
}
