import ActionsAPI
import DequeModule
import Foundation
import HeapModule

/// Which request is made next, and when.
///
/// What is ready goes in this order: first fetches and retries within an hour of their expiry, steps of chains of
/// pages, other first fetches and retries, stored pages that are fetched again, polls, runs past their time; and when
/// nothing but polls is left, one by one, with nothing else in flight, runs that were under way when an export died.
/// Every request passes the gate of its bucket, reads or the start of runs; where one is spent, the other goes on.
struct Scheduler: Sendable {
    /// A run that expires within this time is fetched before chains of pages go on.
    static let nearExpiry: Duration = .seconds(3600)

    let options: Options
    private var backlog: Backlog
    private var ready = ReadyRuns()
    private var chains = ChainQueue()
    private var flight = Flight()
    /// A look-up that goes before everything else.
    private var firstLookUp: UUID?
    /// No run is asked for until that look-up has been answered.
    private var isHoldingFetches = false
    /// Answers that wait for their commit.
    private var uncommitted = 0
    private var nothingElseSince: Date?
    private var isStopped = false
    /// The buckets for which something is ready that waits for the window's reset alone, and until when.
    private(set) var heldUntil: [Bucket: Date] = [:]

    /// Requests that are out.
    private struct Flight: Sendable {
        var total = 0
        /// Of those, asked for again because they were not finished.
        var polls = 0
        var posts = 0
        var isSuspectOut = false
    }

    /// - Parameter opened: what the first step of opening the export has put into its work list.
    init(options: Options, opened: OpenedStep) {
        self.options = options
        backlog = Backlog(filled: opened.filled, isOpening: !opened.isLast)
    }

    var requestsInFlight: Int { flight.total }
    /// Nothing is under way that an event would follow.
    var isIdle: Bool {
        flight.total == 0 && uncommitted == 0 && chains.writes == 0 && !backlog.isReading && !backlog.isOpeningStep
    }
    var isHeldByBudget: Bool { !heldUntil.isEmpty }

    /// From now on nothing new is asked for.
    mutating func stop() { isStopped = true }

    /// No run is asked for while that holds.
    mutating func holdFetches(_ isHolding: Bool) { isHoldingFetches = isHolding }

    /// The database is lost: what has not been committed is dropped, and nothing waits for it.
    mutating func abandon() {
        stop()
        uncommitted = 0
        backlog.abandon()
    }

    // MARK: Work from the work list

    mutating func opened(_ step: OpenedStep) { backlog.opened(step) }

    var isOpeningStep: Bool { backlog.isOpeningStep }

    mutating func hasRead(_ queue: WorkQueue, _ items: [RunItem]) {
        backlog.hasRead(queue, count: items.count, limit: options.batchSize)
        ready.add(items, to: queue)
    }

    /// Polls come with the time that each is due.
    mutating func hasRead(polls due: [PollDue]) {
        backlog.hasRead(.polls, count: due.count, limit: options.batchSize)
        for poll in due { ready.add(poll: poll.item, at: poll.at) }
    }

    /// - Parameter count: of the chains that were taken from the work list, those included that do not go on.
    mutating func hasRead(chains count: Int) {
        backlog.hasRead(.chains, count: count, limit: options.chainBatchSize)
    }

    // MARK: Runs

    /// The request came back, with an answer or without.
    mutating func returned(_ item: RunItem) {
        flight.total -= 1
        if item.isPoll { flight.polls -= 1 }
        if item.isSuspect { flight.isSuspectOut = false }
    }

    /// See `Backlog.release`.
    mutating func release(_ item: RunItem) { backlog.release(item) }

    mutating func retry(_ item: RunItem, at due: Date) {
        if item.page == nil { ready.add(retry: item, at: due) } else { chains.add(.fetch(item), at: due) }
    }

    /// Takes out the items that have failed and were to be asked for again.
    mutating func removeRetries() -> [RunItem] { ready.removeRetries() }

    /// The answer is on its way to the database.
    mutating func gathered() { uncommitted += 1 }

    /// The item's state is in the database.
    ///
    /// - Returns: a poll that memory has no room for, and that goes back to the work list.
    mutating func committed(_ item: RunItem, pollAt: Date?) -> PollDue? {
        uncommitted = max(0, uncommitted - 1)
        guard item.page == nil, let pollAt, options.maxWait > .zero else { return nil }
        // While the work list has polls, new ones join them there, or those would never be read.
        if !backlog.holds(.polls), !backlog.isReading(.polls), ready.pollCount < options.batchSize {
            ready.add(poll: item, at: pollAt)
            return nil
        }
        backlog.fill([.polls])
        return (item, pollAt)
    }

    // MARK: Look-ups and chains

    /// Asks for the stored action before anything else.
    mutating func lookUpFirst(_ action: UUID) { firstLookUp = action }

    mutating func lookUpReturned() { flight.total -= 1 }

    mutating func postReturned() {
        flight.total -= 1
        flight.posts -= 1
    }

    mutating func add(_ request: ChainQueue.Request, at time: Date? = nil, isNew: Bool = false) {
        chains.add(request, at: time, isNew: isNew)
    }

    /// Adds what waits for something that this export does not do: a page to finish, the partner, another export.
    ///
    /// - Returns: whether the export waits for it: it does for so many, and for as long as `--max-wait` says.
    mutating func wait(for request: ChainQueue.Request, until time: Date) -> Bool {
        guard options.maxWait > .zero, chains.waiting < options.batchSize else { return false }
        chains.add(request, at: time, isWait: true)
        return true
    }

    /// The chains whose request for a page was ready.
    mutating func removePosts() -> [RunKey] { chains.removePosts() }

    /// Chains in memory.
    mutating func follows(_ count: Int) { chains.followed = count }

    /// - Returns: whether a chain whose root has just been stored may be followed at once; otherwise it goes to the work
    ///   list, where others are before it.
    mutating func mayFollow() -> Bool {
        if !backlog.holds(.chains), !backlog.isReading(.chains), chains.atWork < options.batchSize { return true }
        backlog.fill([.chains])
        return false
    }

    var isWriting: Bool { chains.writes > 0 }

    func isReading(_ queue: WorkQueue) -> Bool { backlog.isReading(queue) }

    mutating func writeBegins() { chains.writes += 1 }

    mutating func writeEnds() { chains.writes -= 1 }

    /// Stored pages are left that were to be fetched again.
    var hasPagesToRefetch: Bool {
        backlog.hasReleasedPages || hasStoredPages || options.refetch && chains.hasWork
    }

    private var hasStoredPages: Bool {
        backlog.holds(.storedPages) || backlog.isReading(.storedPages) || !ready.storedPages.isEmpty
    }

    // MARK: Decision

    mutating func next(at now: Date, through exchange: inout Exchange) -> Step {
        heldUntil = [:]
        if isStopped { return isIdle ? .done : .wait(until: nil) }
        if backlog.open() { return .open }
        if let queue = queueToRead(at: now) {
            backlog.read(queue)
            return .read(queue)
        }
        makeReady(at: now)
        var wake: Date?
        if !flight.isSuspectOut, flight.total < options.concurrency, uncommitted < options.uncommitted, backlog.mayAsk {
            if case .lookAgain? = chains.nextGet { return take(.chainGet) }
            let isProbing = exchange.health.isProbing
            var spent: Set<Bucket> = []
            while let candidate = candidate(at: now, without: spent, isProbing: isProbing) {
                switch exchange.admit(candidate.bucket, inFlight: flight.total, pagesInFlight: flight.posts, at: now) {
                case .go: return take(candidate)
                case .wait(let until, let isWindow):
                    if isWindow { heldUntil[candidate.bucket] = until }
                    wake = earliest(wake, until)
                }
                spent.insert(candidate.bucket)
            }
            if spent.count < 2 { wake = earliest(wake, nextDue(at: now)) }
        }
        if isFinished(at: now) { return .done }
        return .wait(until: earliest(wake, pollingEnds(at: now).flatMap { $0 > now ? $0 : nil }))
    }

    private enum Candidate {
        case lookUp, run(ReadyRuns.Source), chainGet, chainPost

        var bucket: Bucket {
            if case .chainPost = self { .runs } else { .reads }
        }
    }

    /// The best of what is ready and whose bucket is not spent.
    private func candidate(at now: Date, without spent: Set<Bucket>, isProbing: Bool) -> Candidate? {
        let post: Candidate? = spent.contains(.runs) || !mayPost(isProbing: isProbing) ? nil : .chainPost
        if spent.contains(.reads) { return post }
        if firstLookUp != nil { return .lookUp }
        // Among the chains' is the look-up if it is made again.
        if isHoldingFetches { return chains.nextGet != nil ? .chainGet : post }
        let first = ready.firstFetch(isProbing: isProbing)
        if let first, first.expiresAt <= now + Self.nearExpiry.seconds { return .run(first.source) }
        if chains.nextGet != nil { return .chainGet }
        if let candidate = post ?? first.map({ .run($0.source) }) { return candidate }
        if !ready.storedPages.isEmpty { return .run(.storedPage) }
        // No poll is begun before, or there might always be one in flight.
        if hasOnlyPolls, !ready.suspects.isEmpty {
            return flight.total == 0 && uncommitted == 0 ? .run(.suspect) : nil
        }
        if mayPoll(at: now), ready.hasPoll(at: now) { return .run(.poll) }
        return ready.late.isEmpty ? nil : .run(.late)
    }

    /// A POST that fails may be a page in doubt: as a probe it is the last choice.
    private func mayPost(isProbing: Bool) -> Bool {
        guard chains.nextPost != nil else { return false }
        return !isProbing || !ready.hasFirstFetchOrRetry && chains.nextGet == nil && ready.late.isEmpty
    }

    private mutating func take(_ candidate: Candidate) -> Step {
        switch candidate {
        case .lookUp:
            defer { firstLookUp = nil }
            return step(firstLookUp.map { .lookUp($0) })
        case .run(let source): return fetch(ready.remove(source))
        case .chainGet: return step(chains.removeGet())
        case .chainPost: return step(chains.removePost())
        }
    }

    private mutating func step(_ request: ChainQueue.Request?) -> Step {
        switch request {
        case .fetch(let item): return fetch(item)
        case .lookUp(let action):
            flight.total += 1
            return .lookUp(action)
        case .post(let root):
            flight.total += 1
            flight.posts += 1
            // A page that is asked for is something left to do: the wait for it has its own time.
            nothingElseSince = nil
            return .post(root)
        case .lookAgain(let root): return .lookAgain(root)
        case nil: return .wait(until: nil)
        }
    }

    private mutating func fetch(_ item: RunItem) -> Step {
        flight.total += 1
        if item.isPoll { flight.polls += 1 }
        if item.isSuspect { flight.isSuspectOut = true }
        backlog.asked()
        return .fetch(item)
    }

    /// Moves what the clock has changed.
    private mutating func makeReady(at now: Date) {
        ready.makeReady(at: now)
        chains.makeReady(at: now, mayWait: mayPoll(at: now))
    }

    private func queueToRead(at now: Date) -> WorkQueue? {
        func wants(_ queue: WorkQueue, _ have: Int) -> Bool {
            backlog.wants(queue, have: have, least: options.batchSize)
        }
        if wants(.first, ready.first.count) { return .first }
        // Those that wait hold up no others.
        if backlog.wants(.chains, have: chains.atWork, least: options.batchSize) { return .chains }
        if wants(.storedPages, ready.storedPages.count) { return .storedPages }
        if backlog.isExhausted(.first), ready.first.isEmpty, wants(.late, ready.late.count) { return .late }
        if hasOnlyPolls, ready.suspects.isEmpty, wants(.suspects, 0) { return .suspects }
        if ready.pollCount == 0, mayPoll(at: now), wants(.polls, 0) { return .polls }
        return nil
    }

    // MARK: The end

    private var hasOtherWork: Bool { !hasOnlyPolls || !backlog.isExhausted(.suspects) || !ready.suspects.isEmpty }

    /// Besides suspects.
    private var hasOnlyPolls: Bool {
        firstLookUp == nil && backlog.isExhausted(.first) && backlog.isExhausted(.late)
            && hasNoNewChain && !hasStoredPages && !ready.hasFirstFetchOrRetry
            && ready.late.isEmpty && !chains.hasWork && chains.writes == 0 && flight.total == flight.polls
    }

    /// None waits in the work list that there is room for.
    private var hasNoNewChain: Bool { backlog.isExhausted(.chains) || chains.atWork > options.batchSize }

    private func mayPoll(at now: Date) -> Bool {
        guard options.maxWait > .zero else { return false }
        guard let since = nothingElseSince else { return true }
        return now <= since + options.maxWait.seconds
    }

    private mutating func pollingEnds(at now: Date) -> Date? {
        // The wait begins once: a poll that is retried is not new work.
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
        if ready.pollCount == 0, !backlog.isExhausted(.polls) { return false }
        return earliest(ready.nextPoll, chains.nextWait).map { $0 > end } ?? true
    }

    private func nextDue(at now: Date) -> Date? {
        guard flight.total < options.concurrency else { return nil }
        // A poll that is due already waits for its bucket, which has a time of its own.
        let poll = ready.nextPoll.flatMap { $0 > now ? $0 : nil }
        let waits = mayPoll(at: now) ? earliest(poll, chains.nextWait) : nil
        return earliest(earliest(ready.nextRetry, chains.nextDue), waits)
    }

    private func earliest(_ a: Date?, _ b: Date?) -> Date? {
        guard let a, let b else { return a ?? b }
        return min(a, b)
    }
}
