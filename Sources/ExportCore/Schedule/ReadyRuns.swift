import DequeModule
import Foundation
import HeapModule

/// The runs in memory that wait for their turn.
struct ReadyRuns: Sendable {
    /// Where a run is taken from.
    enum Source {
        case first, retry, storedPage, late, suspect, poll
        /// The last of `first`.
        case probe
    }

    private(set) var first: Deque<RunItem> = []
    private(set) var storedPages: Deque<RunItem> = []
    private(set) var late: Deque<RunItem> = []
    private(set) var suspects: Deque<RunItem> = []
    private var polls = Heap<Due>()
    private var retries = Heap<Due>()
    /// Retries whose time has come.
    private var dueRetries = Heap<Expiring>()

    mutating func add(_ items: [RunItem], to queue: WorkQueue) {
        switch queue {
        case .first: first.append(contentsOf: items)
        case .late: late.append(contentsOf: items)
        case .suspects: suspects.append(contentsOf: items)
        case .storedPages: storedPages.append(contentsOf: items)
        case .polls, .chains: break
        }
    }

    mutating func add(poll item: RunItem, at time: Date) { polls.insert(Due(at: time, item: item)) }

    mutating func add(retry item: RunItem, at time: Date) { retries.insert(Due(at: time, item: item)) }

    mutating func remove(_ source: Source) -> RunItem {
        switch source {
        case .first: first.removeFirst()
        case .retry: dueRetries.removeMin().item
        // From the far end: those next to one another may fail for the same reason.
        case .probe: first.removeLast()
        case .storedPage: storedPages.removeFirst()
        case .poll: polls.removeMin().item
        case .late: late.removeFirst()
        case .suspect: suspects.removeFirst()
        }
    }

    mutating func removeRetries() -> [RunItem] {
        defer { (retries, dueRetries) = (Heap(), Heap()) }
        return retries.unordered.map(\.item) + dueRetries.unordered.map(\.item)
    }

    /// Moves retries whose time has come, and runs whose time is past.
    mutating func makeReady(at now: Date) {
        while let retry = retries.min, retry.at <= now {
            let item = retries.removeMin().item
            if item.isSuspect { suspects.prepend(item) } else { dueRetries.insert(Expiring(item: item)) }
        }
        while let expired = dueRetries.min, expired.item.expiresAt <= now {
            late.prepend(dueRetries.removeMin().item)
        }
        while let head = first.first, head.expiresAt <= now { late.append(first.removeFirst()) }
    }

    var hasFirstFetchOrRetry: Bool { !first.isEmpty || !retries.isEmpty || !dueRetries.isEmpty }

    /// The first fetch or retry whose turn it is: retries wait only for runs that expire before them. A probe is a run
    /// that has not failed, if there is one: those that have may always fail.
    func firstFetch(isProbing: Bool) -> (source: Source, expiresAt: Date)? {
        if isProbing, let last = first.last { return (.probe, last.expiresAt) }
        return switch (dueRetries.min, first.first) {
        case (let retry?, let fresh?) where retry.item.expiresAt > fresh.expiresAt: (.first, fresh.expiresAt)
        case (let retry?, _): (.retry, retry.item.expiresAt)
        case (nil, let fresh?): (.first, fresh.expiresAt)
        case (nil, nil): nil
        }
    }

    var pollCount: Int { polls.count }
    var nextPoll: Date? { polls.min?.at }
    var nextRetry: Date? { retries.min?.at }

    func hasPoll(at now: Date) -> Bool { polls.min.map { $0.at <= now } ?? false }
}
