import ActionsAPI
import DequeModule
import Foundation
import HeapModule

/// Which request is made next, and when. Decides alone; `ExportDriver` acts.
///
/// What is ready goes in this order: first fetches and retries within an hour of their expiry, steps of chains of pages,
/// other first fetches and retries, stored pages that are fetched again, polls, runs past their time; and when nothing but
/// polls is left, one by one, with nothing else in flight, runs that were under way when an export died. Every request
/// passes the budget of its bucket, reads or the start of runs; where one is spent, the other goes on.
///
/// The work list stays in the database: here is a stretch of each queue, so that memory does not grow with the export.
struct Scheduler: Sendable {
    /// A run that expires within this time is fetched before chains of pages go on.
    static let nearExpiry: Duration = .seconds(3600)

    let options: Options
    private(set) var budget: RateBudget
    private(set) var runsBudget: RateBudget
    var chains = ChainQueue()

    /// A look-up that goes before everything else.
    private var firstLookUp: UUID?
    /// No run is asked for until that look-up has been answered.
    var isHoldingFetches = false
    private var first: Deque<RunItem> = []
    private var storedPages: Deque<RunItem> = []
    private var late: Deque<RunItem> = []
    private var suspects: Deque<RunItem> = []
    private var polls = Heap<Due>()
    private var retries = Heap<Due>()
    private var dueRetries = Heap<Expiring>()

    private var cursor: [WorkQueue: WorkCursor] = [:]
    private var refilling: Set<WorkQueue> = []
    private var exhausted: Set<WorkQueue>
    /// A refill of `polls` that brought nothing new is repeated only after something has been committed.
    private var pollsAwaitCommit = false
    /// Every item that is in memory, from its stretch to its commit: a stretch may hold it again.
    private var tracked: Set<RunKey> = []
    private var inFlight = 0
    /// Of those in flight, asked for again because they were not finished.
    private var pollsInFlight = 0
    private var isSuspectInFlight = false
    private var uncommitted = 0
    private var nothingElseSince: Date?
    private var isCommitting = false
    private var stopped = false
    private var hold = Hold()
    /// Of requests for pages alone.
    private var postHold = Hold()
    private var postsInFlight = 0
    /// The buckets for which something is ready that waits for the window's reset alone, and until when.
    private(set) var heldUntil: [Bucket: Date] = [:]
    var isHeldByBudget: Bool { !heldUntil.isEmpty }

    init(options: Options) {
        self.options = options
        budget = RateBudget(share: options.budgetShare)
        runsBudget = RateBudget(share: options.budgetShare)
        exhausted = options.refetch ? [.polls] : [.polls, .storedPages]
        if !options.hasSuspects { exhausted.insert(.suspects) }
    }

    var requestsInFlight: Int { inFlight }
    /// Nothing is under way of which an event would tell.
    var isIdle: Bool { inFlight == 0 && uncommitted == 0 && chains.writes == 0 && refilling.isEmpty }

    /// A stretch is being read that may hold items whose commit it cannot know: a commit has to wait for it, and such a
    /// stretch for a commit. Otherwise its items might be told of after their commit, and be asked for again.
    var mayCommit: Bool { refilling.isDisjoint(with: [.late, .suspects, .polls]) }

    /// From now on nothing new is asked for.
    mutating func stop() { stopped = true }

    /// No request goes out before then.
    mutating func pause(until time: Date) { hold.until = time }

    /// The same, and then one request at a time until `resume`.
    mutating func probe(at time: Date) { hold = Hold(until: time, isProbing: true) }

    mutating func resume() { hold = Hold() }

    /// The same for requests for pages alone.
    mutating func probePosts(at time: Date) { postHold = Hold(until: time, isProbing: true) }

    mutating func resumePosts() { postHold = Hold() }

    mutating func commitBegins() { isCommitting = true }

    mutating func commitEnds() { isCommitting = false }

    /// The database is lost: what has not been committed is dropped, and nothing waits for it.
    mutating func abandon() {
        stop()
        uncommitted = 0
        refilling = []
    }

    // MARK: Events

    mutating func refilled(_ queue: WorkQueue, with items: [RunItem]) {
        refilling.remove(queue)
        if items.count < options.stretch { exhausted.insert(queue) }
        if let last = items.last, queue != .polls, queue != .suspects {
            cursor[queue] = WorkCursor(expiresAt: last.expiresAt, key: last.key)
        }
        if queue == .storedPages { return storedPages.append(contentsOf: items) }
        let new = items.filter { tracked.insert($0.key).inserted }
        switch queue {
        case .first: first.append(contentsOf: new)
        case .late: late.append(contentsOf: new)
        case .suspects: suspects.append(contentsOf: new)
        case .polls: pollsAwaitCommit = new.isEmpty
        case .chains, .storedPages: break
        }
    }

    /// Polls come with the time that each is due.
    mutating func refilledPolls(with due: [PollDue]) {
        let new = due.filter { !tracked.contains($0.item.key) }
        refilled(.polls, with: due.map(\.item))
        for poll in new { polls.insert(Due(at: poll.at, item: poll.item)) }
    }

    /// The request came back, with an answer or without; what it means for the budget is told by `settle`.
    mutating func returned(_ item: RunItem) {
        inFlight -= 1
        if item.isPoll { pollsInFlight -= 1 }
        if item.isSuspect { isSuspectInFlight = false }
    }

    /// The item is let go of without an outcome: it stays in the queue that the database holds.
    mutating func untrack(_ item: RunItem) {
        if item.page == nil { tracked.remove(item.key) }
    }

    /// Tells a bucket's budget what became of a request.
    mutating func settle(_ bucket: Bucket, _ change: (inout RateBudget) -> Void) {
        switch bucket {
        case .reads: change(&budget)
        case .runs: change(&runsBudget)
        }
    }

    mutating func retry(_ item: RunItem, at due: Date) {
        if item.page == nil {
            retries.insert(Due(at: due, item: item))
        } else {
            chains.add(.fetch(item), at: due)
        }
    }

    /// The answer is on its way to the database.
    mutating func gathered() { uncommitted += 1 }

    /// The item's state is in the database.
    mutating func committed(_ item: RunItem, pollAt: Date?) {
        uncommitted = max(0, uncommitted - 1)
        guard item.page == nil else { return }
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

    /// Takes out the items that have failed and were to be asked for again.
    mutating func removeRetries() -> [RunItem] {
        defer { (retries, dueRetries) = (Heap(), Heap()) }
        return retries.unordered.map(\.item) + dueRetries.unordered.map(\.item)
    }

    /// Asks for the stored action before anything else.
    mutating func lookUpFirst(_ action: UUID) { firstLookUp = action }

    // MARK: Chains

    /// - Parameter limit: of the rows that were asked for.
    mutating func refilledChains(_ count: Int, limit: Int) {
        refilling.remove(.chains)
        chains.refilled(count, limit: limit)
    }

    /// - Returns: whether a chain that has just been opened may be followed at once.
    mutating func mayFollow() -> Bool {
        chains.mayFollow(capacity: options.stretch, isRefilling: refilling.contains(.chains))
    }

    /// Whether a chain may wait for somebody else in memory: it is asked for again in time, and only so many do.
    var mayWaitForChain: Bool { options.maxWait > .zero && chains.waiting < options.stretch }

    /// Stored pages are left that were to be fetched again.
    var hasStoredPages: Bool {
        options.refetch && (!exhausted.contains(.storedPages) || !storedPages.isEmpty || chains.hasWork)
    }

    /// A look-up came back.
    mutating func lookUpReturned() { inFlight -= 1 }

    /// The slot that `post` took is used up, or given back: which of the two is told by `settle`.
    mutating func postReturned() {
        inFlight -= 1
        postsInFlight -= 1
    }

    // MARK: Decision

    mutating func next(at now: Date) -> Step {
        heldUntil = [:]
        if stopped { return isIdle ? .done : .wait(until: nil) }
        if let queue = queueToRefill(at: now) {
            refilling.insert(queue)
            return .refill(queue, after: cursor[queue])
        }
        makeReady(at: now)
        var wake: Date?
        if let until = hold.until, now < until {
            wake = until
        } else if !isSuspectInFlight, inFlight < (hold.isProbing ? 1 : options.concurrency),
            uncommitted < options.uncommitted
        {
            if case .lookAgain? = chains.nextGet { return take(.chainGet) }
            var spent: Set<Bucket> = []
            while let candidate = candidate(at: now, without: spent) {
                switch admit(candidate.bucket, at: now) {
                case .go: return take(candidate)
                case .wait(let until):
                    heldUntil[candidate.bucket] = until
                    wake = earliest(wake, until)
                // An answer that does not come must not hold up the next window.
                case .waitForAnswer: wake = earliest(wake, nextOpening(candidate.bucket))
                }
                spent.insert(candidate.bucket)
            }
            if spent.count < 2 { wake = earliest(wake, nextDue(at: now)) }
            if chains.nextPost != nil, let until = postHold.until, now < until { wake = earliest(wake, until) }
        }
        if isFinished(at: now) { return .done }
        return .wait(until: earliest(wake, pollingEnds(at: now).flatMap { $0 > now ? $0 : nil }))
    }

    private enum Candidate {
        case lookUp, retry, first, probe, storedPage, polls, late, suspect, chainGet, chainPost

        var bucket: Bucket { self == .chainPost ? .runs : .reads }
    }

    /// The best of what is ready and whose bucket is not spent.
    private func candidate(at now: Date, without spent: Set<Bucket>) -> Candidate? {
        let post: Candidate? = spent.contains(.runs) || !mayPost(at: now) ? nil : .chainPost
        if spent.contains(.reads) { return post }
        if firstLookUp != nil { return .lookUp }
        // Among the chains' is the look-up if it is made again.
        if isHoldingFetches { return chains.nextGet != nil ? .chainGet : post }
        let firstFetch = firstFetch
        if let firstFetch, firstFetch.expiresAt <= now + Self.nearExpiry.seconds { return firstFetch.candidate }
        if chains.nextGet != nil { return .chainGet }
        if let candidate = post ?? firstFetch?.candidate { return candidate }
        if !storedPages.isEmpty { return .storedPage }
        // No poll is begun before, or there might always be one in flight.
        if hasOnlyPolls, !suspects.isEmpty { return inFlight == 0 && uncommitted == 0 ? .suspect : nil }
        if mayPoll(at: now), let poll = polls.min, poll.at <= now { return .polls }
        return late.isEmpty ? nil : .late
    }

    /// A POST that fails may be a page in doubt: as a probe it is the last choice.
    private func mayPost(at now: Date) -> Bool {
        guard chains.nextPost != nil, postHold.allows(postsInFlight, at: now) else { return false }
        return !hold.isProbing || (firstFetch == nil && retries.isEmpty && chains.nextGet == nil && late.isEmpty)
    }

    /// Retries wait for nobody but the runs that expire before them. A probe is a run that has not failed, if there is
    /// one: those that have may fail for ever.
    private var firstFetch: (candidate: Candidate, expiresAt: Date)? {
        if hold.isProbing, let last = first.last { return (.probe, last.expiresAt) }
        return switch (dueRetries.min, first.first) {
        case (let retry?, let fresh?) where retry.item.expiresAt > fresh.expiresAt: (.first, fresh.expiresAt)
        case (let retry?, _): (.retry, retry.item.expiresAt)
        case (nil, let fresh?): (.first, fresh.expiresAt)
        case (nil, nil): nil
        }
    }

    private mutating func admit(_ bucket: Bucket, at now: Date) -> RateBudget.Admission {
        switch bucket {
        case .reads: budget.request(at: now)
        case .runs: runsBudget.request(at: now)
        }
    }

    /// When the bucket opens again, as far as that is known.
    func nextOpening(_ bucket: Bucket) -> Date? {
        switch bucket {
        case .reads: budget.nextOpening
        case .runs: runsBudget.nextOpening
        }
    }

    private mutating func take(_ candidate: Candidate) -> Step {
        switch candidate {
        case .lookUp:
            defer { firstLookUp = nil }
            return step(firstLookUp.map { .lookUp($0) })
        case .retry: return fetch(dueRetries.removeMin().item)
        case .first: return fetch(first.removeFirst())
        // From the far end: those next to one another may fail for the same reason.
        case .probe: return fetch(first.removeLast())
        case .storedPage: return fetch(storedPages.removeFirst())
        case .polls: return fetch(polls.removeMin().item)
        case .late: return fetch(late.removeFirst())
        case .suspect: return fetch(suspects.removeFirst())
        case .chainGet: return step(chains.removeGet())
        case .chainPost: return step(chains.removePost())
        }
    }

    private mutating func step(_ request: ChainQueue.Request?) -> Step {
        switch request {
        case .fetch(let item): return fetch(item)
        case .lookUp(let action):
            inFlight += 1
            return .lookUp(action)
        case .post(let root):
            inFlight += 1
            postsInFlight += 1
            // A page that is asked for is something left to do: the wait for it has its own time.
            nothingElseSince = nil
            return .post(root)
        case .lookAgain(let root): return .lookAgain(root)
        case nil: return .wait(until: nil)
        }
    }

    private mutating func fetch(_ item: RunItem) -> Step {
        inFlight += 1
        if item.isPoll { pollsInFlight += 1 }
        if item.isSuspect { isSuspectInFlight = true }
        return .fetch(item)
    }

    /// Moves what the clock has changed: retries whose time has come, and runs whose time is past.
    private mutating func makeReady(at now: Date) {
        while let retry = retries.min, retry.at <= now {
            let item = retries.removeMin().item
            if item.isSuspect { suspects.prepend(item) } else { dueRetries.insert(Expiring(item: item)) }
        }
        while let expired = dueRetries.min, expired.item.expiresAt <= now {
            late.prepend(dueRetries.removeMin().item)
        }
        chains.makeReady(at: now, mayWait: mayPoll(at: now))
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
        if chains.wantsMore(capacity: options.stretch), !refilling.contains(.chains) { return .chains }
        if wants(.storedPages, storedPages.count) { return .storedPages }
        guard !isCommitting else { return nil }
        if exhausted.contains(.first), first.isEmpty, wants(.late, late.count) { return .late }
        if hasOnlyPolls, suspects.isEmpty, wants(.suspects, 0) { return .suspects }
        if polls.isEmpty, !pollsAwaitCommit, mayPoll(at: now), wants(.polls, polls.count) { return .polls }
        return nil
    }

    // MARK: The end

    private var hasOtherWork: Bool { !hasOnlyPolls || !exhausted.contains(.suspects) || !suspects.isEmpty }

    /// Besides suspects.
    private var hasOnlyPolls: Bool {
        firstLookUp == nil && exhausted.contains(.first) && exhausted.contains(.late)
            && !chains.wantsMore(capacity: options.stretch)
            && !hasStoredPages && first.isEmpty && late.isEmpty && retries.isEmpty && dueRetries.isEmpty
            && !chains.hasWork && chains.writes == 0 && inFlight == pollsInFlight
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
        // A poll that would come after the end is not waited for.
        if now >= end { return true }
        if polls.isEmpty, !exhausted.contains(.polls) { return false }
        return earliest(polls.min?.at, chains.nextWait).map { $0 > end } ?? true
    }

    private func nextDue(at now: Date) -> Date? {
        guard inFlight < options.concurrency else { return nil }
        // A poll that is due already waits for its bucket, which has a time of its own.
        let poll = polls.min.flatMap { $0.at > now ? $0.at : nil }
        let waits = mayPoll(at: now) ? earliest(poll, chains.nextWait) : nil
        return earliest(earliest(retries.min?.at, chains.nextDue), waits)
    }

    private func earliest(_ a: Date?, _ b: Date?) -> Date? {
        guard let a, let b else { return a ?? b }
        return min(a, b)
    }
}
