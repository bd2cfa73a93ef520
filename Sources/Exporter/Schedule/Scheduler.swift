import ActionsAPI
import DequeModule
import Foundation
import HeapModule

/// Which run is asked for next, and when. Decides alone; `ExportLoop` acts.
///
/// What is ready goes in this order: first fetches and retries by their expiry, polls, runs past their time. Every
/// request passes the rate budget.
///
/// The work list stays in the database: here is a stretch of each queue, so that memory does not grow with the export.
struct Scheduler: Sendable {
    struct Options: Sendable {
        var concurrency: Int
        var budgetShare: Double
        /// How long to go on polling once nothing else is left; zero polls nothing again.
        var maxWait: Duration
        /// Items read from a queue at a time.
        var stretch = 1000
        /// Answers that may wait for their commit before no new request goes out.
        var uncommitted = 4000
    }

    enum Step: Equatable, Sendable {
        case fetch(RunItem)
        /// Read the next stretch of the queue, behind the cursor where there is one.
        case refill(WorkQueue, after: WorkCursor?)
        /// Nothing to do before then, or before the next event.
        case wait(until: Date?)
        /// Every item is done with, as far as this export goes.
        case done
    }

    let options: Options
    private(set) var budget: RateBudget

    private var first: Deque<RunItem> = []
    private var late: Deque<RunItem> = []
    private var polls = Heap<Due>()
    private var retries = Heap<Due>()
    private var dueRetries = Heap<Expiring>()

    private var cursor: [WorkQueue: WorkCursor] = [:]
    private var refilling: Set<WorkQueue> = []
    private var exhausted: Set<WorkQueue> = [.polls]
    /// A refill of `polls` that brought nothing new is repeated only after something has been committed.
    private var pollsAwaitCommit = false
    /// Every item that is in memory, from its stretch to its commit: a stretch may hold it again.
    private var tracked: Set<RunKey> = []
    /// True for a poll.
    private var inFlight: [RunKey: Bool] = [:]
    private var uncommitted = 0
    private var nothingElseSince: Date?
    private var isCommitting = false
    private var stopped = false
    /// Nothing goes out before then.
    private var pausedUntil: Date?
    /// One request at a time, until somebody answers.
    private var isProbing = false
    /// Something is ready, and waits for the window's reset alone.
    private(set) var isHeldByBudget = false

    init(options: Options) {
        self.options = options
        budget = RateBudget(share: options.budgetShare)
    }

    var requestsInFlight: Int { inFlight.count }
    /// Nothing is under way of which an event would tell.
    var isIdle: Bool { inFlight.isEmpty && uncommitted == 0 && refilling.isEmpty }

    /// A stretch is being read that may hold items whose commit it cannot know: a commit has to wait for it, and such a
    /// stretch for a commit. Otherwise its items might be told of after their commit, and be asked for again.
    var mayCommit: Bool { refilling.isDisjoint(with: [.late, .polls]) }

    /// From now on nothing new is asked for.
    mutating func stop() { stopped = true }

    /// No request, of whatever item, goes out before then.
    mutating func pause(until time: Date) { pausedUntil = time }

    /// The same, and then one request at a time until `resume`.
    mutating func probe(at time: Date) {
        pausedUntil = time
        isProbing = true
    }

    mutating func resume() {
        pausedUntil = nil
        isProbing = false
    }

    mutating func commitBegins() { isCommitting = true }

    mutating func commitEnds() { isCommitting = false }

    /// The database is lost: what has not been committed is nobody's any more, and nothing waits for it.
    mutating func abandon() {
        stop()
        uncommitted = 0
        refilling = []
    }

    // MARK: Events

    mutating func refilled(_ queue: WorkQueue, with items: [RunItem]) {
        refilling.remove(queue)
        if items.count < options.stretch { exhausted.insert(queue) }
        if let last = items.last, queue != .polls {
            cursor[queue] = WorkCursor(expiresAt: last.expiresAt, key: last.key)
        }
        let new = items.filter { tracked.insert($0.key).inserted }
        switch queue {
        case .first: first.append(contentsOf: new)
        case .late: late.append(contentsOf: new)
        case .polls: pollsAwaitCommit = new.isEmpty
        }
    }

    /// Polls come with the time that each is due.
    mutating func refilledPolls(with due: [PollDue]) {
        let new = due.filter { !tracked.contains($0.item.key) }
        refilled(.polls, with: due.map(\.item))
        for poll in new { polls.insert(Due(at: poll.at, item: poll.item)) }
    }

    /// The request came back, with an answer or without; what it means for the budget is told by `withBudget`.
    mutating func returned(_ item: RunItem) {
        inFlight[item.key] = nil
    }

    /// The item is let go of without an outcome: it stays in the queue that the database holds.
    mutating func untrack(_ item: RunItem) { tracked.remove(item.key) }

    mutating func withBudget(_ change: (inout RateBudget) -> Void) { change(&budget) }

    mutating func retry(_ item: RunItem, at due: Date) {
        retries.insert(Due(at: due, item: item))
    }

    /// The answer is on its way to the database.
    mutating func gathered() { uncommitted += 1 }

    /// The item's state is in the database.
    mutating func committed(_ item: RunItem, pollAt: Date?) {
        uncommitted = max(0, uncommitted - 1)
        pollsAwaitCommit = false
        guard let pollAt, options.maxWait > .zero else {
            tracked.remove(item.key)
            return
        }
        // While a part of the polls is only in the database, new ones join it there, or those would never be read.
        if exhausted.contains(.polls), polls.count < options.stretch {
            polls.insert(Due(at: pollAt, item: item))
        } else {
            tracked.remove(item.key)
            exhausted.remove(.polls)
        }
    }

    // MARK: Decision

    mutating func next(at now: Date) -> Step {
        isHeldByBudget = false
        if stopped { return isIdle ? .done : .wait(until: nil) }
        if let queue = queueToRefill(at: now) {
            refilling.insert(queue)
            return .refill(queue, after: cursor[queue])
        }
        makeReady(at: now)
        var wake: Date?
        if let pausedUntil, now < pausedUntil {
            wake = pausedUntil
        } else if inFlight.count < (isProbing ? 1 : options.concurrency), uncommitted < options.uncommitted,
            let queue = candidate(at: now)
        {
            switch budget.request(at: now) {
            case .go: return .fetch(take(queue))
            case .wait(let until):
                isHeldByBudget = true
                wake = until
            // An answer that does not come must not hold up the next window.
            case .waitForAnswer: wake = budget.nextOpening
            }
        } else if let due = nextDue(at: now) {
            wake = due
        }
        if isFinished(at: now) { return .done }
        return .wait(until: earliest(wake, pollingEnds(at: now)))
    }

    private enum Candidate { case retry, first, polls, late }

    /// The best of what is dueRetries. Retries wait for nobody but the runs that expire before them.
    private func candidate(at now: Date) -> Candidate? {
        let firstFetch: Candidate? =
            switch (dueRetries.min, first.first) {
            case (let retry?, let fresh?): retry.item.expiresAt <= fresh.expiresAt ? .retry : .first
            case (_?, nil): .retry
            case (nil, _?): .first
            case (nil, nil): nil
            }
        if let firstFetch { return firstFetch }
        if mayPoll(at: now), let poll = polls.min, poll.at <= now { return .polls }
        return late.isEmpty ? nil : .late
    }

    private mutating func take(_ candidate: Candidate) -> RunItem {
        let item: RunItem
        switch candidate {
        case .retry: item = dueRetries.removeMin().item
        case .first: item = first.removeFirst()
        case .polls: item = polls.removeMin().item
        case .late: item = late.removeFirst()
        }
        inFlight[item.key] = candidate == .polls
        return item
    }

    /// Moves what the clock has changed: retries whose time has come, and runs whose time is past.
    private mutating func makeReady(at now: Date) {
        while let retry = retries.min, retry.at <= now {
            dueRetries.insert(Expiring(item: retries.removeMin().item))
        }
        while let expired = dueRetries.min, expired.item.expiresAt <= now {
            late.prepend(dueRetries.removeMin().item)
        }
        while let head = first.first, head.expiresAt <= now {
            // `late` is read only when `first` is empty, so the database will bring it again.
            tracked.remove(head.key)
            first.removeFirst()
        }
    }

    private func queueToRefill(at now: Date) -> WorkQueue? {
        func wants(_ queue: WorkQueue, _ have: Int) -> Bool {
            have <= options.concurrency && !exhausted.contains(queue) && !refilling.contains(queue)
        }
        if wants(.first, first.count) { return .first }
        guard !isCommitting else { return nil }
        if exhausted.contains(.first), first.isEmpty, wants(.late, late.count) { return .late }
        if polls.isEmpty, !pollsAwaitCommit, mayPoll(at: now), wants(.polls, polls.count) { return .polls }
        return nil
    }

    // MARK: The end

    private var hasOtherWork: Bool {
        !exhausted.contains(.first) || !exhausted.contains(.late) || !first.isEmpty || !late.isEmpty
            || !retries.isEmpty || !dueRetries.isEmpty || inFlight.values.contains(false)
    }

    private func mayPoll(at now: Date) -> Bool {
        guard options.maxWait > .zero else { return false }
        guard let since = nothingElseSince else { return true }
        return now <= since + options.maxWait.seconds
    }

    private mutating func pollingEnds(at now: Date) -> Date? {
        // Once begun the wait is not begun again: a poll that is retried is no new work.
        guard nothingElseSince != nil || !hasOtherWork else { return nil }
        let since = nothingElseSince ?? now
        nothingElseSince = since
        return since + options.maxWait.seconds
    }

    private mutating func isFinished(at now: Date) -> Bool {
        guard isIdle, !hasOtherWork else { return false }
        guard let end = pollingEnds(at: now), options.maxWait > .zero else { return true }
        if polls.isEmpty && exhausted.contains(.polls) { return true }
        // A poll that would come after the end is not waited for.
        return now >= end || (polls.min.map { $0.at > end } ?? false)
    }

    private func nextDue(at now: Date) -> Date? {
        guard inFlight.count < options.concurrency else { return nil }
        return earliest(retries.min?.at, mayPoll(at: now) ? polls.min?.at : nil)
    }

    private func earliest(_ a: Date?, _ b: Date?) -> Date? {
        guard let a, let b else { return a ?? b }
        return min(a, b)
    }
}
