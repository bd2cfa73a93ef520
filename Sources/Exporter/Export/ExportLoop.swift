import ActionsAPI
import DequeModule
import Foundation
import Logging

/// Runs an export: asks the pure parts what to do, does it, and tells them what came of it. The one place that waits
/// for events.
struct ExportLoop {
    /// Seconds that requests in flight may go on after the export was told to end.
    private static let grace: TimeInterval = 1.5
    /// Seconds after that in which the answer to a POST may still come: without it an operator has to look for its run.
    private static let postGrace: TimeInterval = 1.7

    let fetch: Fetch
    let pages: PageRequests
    let ledger: Ledger
    private let loader: Loader
    let intents: IntentLog
    let clock: SteadyClock
    private let board: ProgressBoard
    let logger: Logger
    private let deadline: Date?
    let rules: RunRules

    var scheduler: Scheduler
    var gate = BatchGate()
    var watch = CredentialsWatch()
    var accountWatch: AccountWatch
    private var clockWitness = ClockWitness()
    var reachability = Reachability()
    var circuit: Circuit
    /// Of the requests for pages alone: each one that fails may be a page in doubt, so few may.
    var pageCircuit: Circuit
    /// No further page is asked for in this export.
    var pagesFail = false
    /// Why no connection is to be had at present.
    var noConnection: String?
    /// A request was made, or a connection for one.
    private var hasAsked = false
    /// 0 to 1, 1 excluded.
    let random: @Sendable () -> Double
    /// The chains of pages that this export is at, by their roots.
    var followers: [RunKey: PageFollower] = [:]
    var lookUps = LookUps()
    /// Steps of chains that the next `act` begins.
    var chainTasks: Deque<ChainTask> = []

    /// Answers that wait for their batch.
    var gathered: [LoadedRun] = []
    /// Forbidden runs, while the credentials themselves are in doubt.
    var held: [LoadedRun] = []
    /// Runs that the API does not have, or not for this token, until it is known whose token it is.
    var absent: [LoadedRun] = []
    /// Refusals of chains' requests, held for the same reason.
    var refusals: [HeldRefusal] = []
    /// Runs given up without an answer, while the API has not answered anything.
    var silent: [LoadedRun] = []
    private var committing = false
    private(set) var ending: Ending?
    private(set) var failure: (any Error)?
    private var cancelsAt: Date?
    private var alarm = Alarm()
    var tally = Tally()
    var incidents = Incidents()
    var hasPagesToRefetch: Bool { wasPageCut || scheduler.hasStoredPages }
    /// The request for a page that was to be fetched again was cut short.
    var wasPageCut = false

    init(
        fetch: Fetch, pages: PageRequests, ledger: Ledger, loader: Loader, intents: IntentLog, options: ExportOptions,
        accountWatch: AccountWatch, deadline: Date?, clock: SteadyClock,
        random: @escaping @Sendable () -> Double = { .random(in: 0..<1) },
        board: ProgressBoard, logger: Logger
    ) {
        self.random = random
        self.pages = pages
        self.intents = intents
        self.fetch = fetch
        self.ledger = ledger
        self.loader = loader
        self.clock = clock
        self.board = board
        self.logger = logger
        self.deadline = deadline
        self.accountWatch = accountWatch
        rules = RunRules(maxWait: options.maxWait)
        circuit = Circuit(longestGap: rules.longestRetry)
        pageCircuit = Circuit(threshold: 10, probes: 2, longestGap: rules.longestRetry)
        scheduler = Scheduler(
            options: Scheduler.Options(
                concurrency: options.concurrency, budgetShare: options.budgetShare, maxWait: options.maxWait,
                hasSuspects: true, refetch: options.refetch))
    }

    /// - Parameter signals: numbers of signals that ask the export to end.
    /// - Throws: `PostgresError` when the database could not be had any more. What was committed stays.
    mutating func run(signals: AsyncStream<Int32>) async throws -> Ending {
        let (events, mailbox) = AsyncStream<Event>.makeStream()
        let listener = Task {
            for await signal in signals { mailbox.yield(.interrupted(signal: signal)) }
        }
        defer { listener.cancel() }
        // Groups of their own, so that requests can be cut short, POSTs last, while what they brought is still stored.
        await withDiscardingTaskGroup { fetches in
            await withDiscardingTaskGroup { posts in
                await withDiscardingTaskGroup { stores in
                    var events = events.makeAsyncIterator()
                    while true {
                        let wake = act(&fetches, &posts, &stores, mailbox)
                        report()
                        guard let wake else { break }
                        logWindows(at: clock.now)
                        logSilence(at: clock.now)
                        logWait(until: wake, at: clock.now)
                        let next = min(wake, incidents.silenceAt ?? wake)
                        alarm.set(for: next, clock: clock) { mailbox.yield(.woke) }
                        let heldSince = scheduler.isHeldByBudget ? clock.now : nil
                        guard let event = await events.next() else { break }
                        countTokenRequests()
                        if let heldSince { tally.waitedForBudget += .seconds(clock.now.timeIntervalSince(heldSince)) }
                        handle(event)
                    }
                    alarm.cancel()
                }
            }
        }
        countTokenRequests(isLast: true)
        if let failure { throw failure }
        let ending = ending ?? .finished
        if watch.hasSeenOnlyPages { return ending.unanswered(Self.blocked()) }
        guard hasAsked, !reachability.hasAnswered else { return ending }
        return ending.unanswered(noConnection ?? "it answered none of the requests")
    }

    // MARK: Acting

    /// Does all that can be done now.
    ///
    /// - Returns: when to look again if nothing happens before, or nil if the export is over.
    private mutating func act(
        _ fetches: inout DiscardingTaskGroup, _ posts: inout DiscardingTaskGroup,
        _ stores: inout DiscardingTaskGroup, _ mailbox: AsyncStream<Event>.Continuation
    ) -> Date? {
        while true {
            let now = clock.now
            if let deadline, now >= deadline { endInTime(comeBackAt: nil) }
            if let cancelsAt, now >= cancelsAt { fetches.cancelAll() }
            if let cancelsPostsAt, now >= cancelsPostsAt { posts.cancelAll() }
            while let task = chainTasks.popFirst() { begin(task, &posts, &stores, mailbox) }
            switch scheduler.next(at: now) {
            case .fetch(var item):
                item.askedAt = now
                asks(.reads, at: now)
                let (fetch, ledger, clock) = (fetch, ledger, clock)
                fetches.addTask { [item] in
                    // What does not work here does not work when the answer is stored either, where it is told.
                    if item.isSuspect { try? await ledger.willAskSuspect(item.key) }
                    mailbox.yield(.answered(item, await fetch(item.key), at: clock.now))
                }
            case .lookUp(let action):
                asks(.reads, at: now)
                let (pages, clock) = (pages, clock)
                fetches.addTask { mailbox.yield(.lookedUp(action, await pages.lookUp(action), at: clock.now)) }
            case .post(let root):
                asks(.runs, at: now)
                slotTaken(by: root, at: now)
            case .lookAgain(let root): lookAgain(at: root)
            case .refill(let queue, let cursor):
                refill(queue, after: cursor, &stores, mailbox)
            case .done:
                if !held.isEmpty || !silent.isEmpty, ending == nil {
                    releaseHeld()
                    releaseSilent()
                } else if !store(&stores, mailbox, at: now), !committing {
                    return nil
                } else {
                    return .distantFuture
                }
            case .wait(let until):
                if !store(&stores, mailbox, at: now), scheduler.isIdle, let deadline, let until, until > deadline {
                    endInTime(comeBackAt: until)
                    continue
                }
                let opens = committing ? nil : gate.opens(at: now, expectsMore: true)
                return [until, opens, deadline, cancelsAt, cancelsPostsAt].compactMap { $0 }.filter { $0 > now }.min()
                    ?? .distantFuture
            }
        }
    }

    private mutating func asks(_ bucket: Scheduler.Bucket, at now: Date) {
        hasAsked = true
        logRequest(of: bucket, at: now)
    }

    /// - Returns: whether a commit has begun.
    private mutating func store(
        _ stores: inout DiscardingTaskGroup, _ mailbox: AsyncStream<Event>.Continuation, at now: Date
    ) -> Bool {
        guard !committing, failure == nil, scheduler.mayCommit,
            let opens = gate.opens(at: now, expectsMore: scheduler.requestsInFlight > 0), opens <= now
        else { return false }
        let (loader, batch, count) = (loader, gathered, tally.requestCount)
        gathered = []
        gate.opened()
        committing = true
        scheduler.commitBegins()
        stores.addTask {
            mailbox.yield(.committed(await result { try await loader.commit(batch, requests: count) }))
        }
        return true
    }

    private func refill(
        _ queue: WorkQueue, after cursor: WorkCursor?, _ stores: inout DiscardingTaskGroup,
        _ mailbox: AsyncStream<Event>.Continuation
    ) {
        let (ledger, limit, now) = (ledger, scheduler.options.stretch, clock.now)
        let chainLimit = scheduler.options.chainStretch
        stores.addTask {
            switch queue {
            case .first:
                mailbox.yield(
                    .refilled(
                        queue,
                        await result { try await ledger.firstFetches(after: cursor, limit: limit, at: now) }))
            case .late:
                mailbox.yield(
                    .refilled(queue, await result { try await ledger.lateFetches(after: cursor, limit: limit) }))
            case .suspects:
                mailbox.yield(.refilled(queue, await result { try await ledger.suspects(limit: limit) }))
            case .polls:
                mailbox.yield(.refilledPolls(await result { try await ledger.polls(limit: limit) }))
            case .chains:
                mailbox.yield(.refilledChains(await result { try await ledger.openChains(limit: chainLimit) }))
            case .storedPages:
                mailbox.yield(
                    .refilled(queue, await result { try await ledger.pagesToRefetch(after: cursor, limit: limit) }))
            }
        }
    }

    private var cancelsPostsAt: Date? { cancelsAt.map { $0 + Self.postGrace } }

    /// The first reason stops the export; a graver one that comes up while it ends takes its place.
    mutating func end(_ reason: Ending) {
        if let ending, ending.rank <= reason.rank { return }
        ending = reason
        scheduler.stop()
        // The requests that they wait for are not made any more.
        releaseRefusals(counts: false)
        cancelsAt = cancelsAt ?? clock.now + Self.grace
    }

    private mutating func endInTime(comeBackAt time: Date?) {
        end(noConnection.map { .apiUnreachable($0) } ?? .timeLimit(comeBackAt: time))
    }

    mutating func compareClocks(_ headers: RateLimitHeaders, at now: Date) {
        if let warning = clockWitness.heard(headers.date, at: now) { logger.warning("\(warning)") }
    }

    mutating func fail(_ error: any Error) {
        failure = failure ?? error
        scheduler.abandon()
        cancelsAt = cancelsAt ?? clock.now + Self.grace
    }

    // MARK: Hearing

    private mutating func handle(_ event: Event) {
        switch event {
        case .answered(let item, let result, let at): answered(item, result, at: at)
        case .committed(.success(let commits)):
            committing = false
            scheduler.commitEnds()
            for commit in commits {
                tally.committed(commit)
                scheduler.committed(commit.item, pollAt: commit.pollAt)
                committed(commit, at: clock.now)
            }
        case .refilled(let queue, .success(let items)): scheduler.refilled(queue, with: items)
        case .refilledPolls(.success(let due)): scheduler.refilledPolls(with: due)
        case .refilledChains(.success(let chains)):
            scheduler.refilledChains(chains.count, limit: scheduler.options.chainStretch)
            for chain in chains { follow(chain, at: clock.now) }
        case .lookedUp(let action, let result, let at): lookedUp(action, result, at: at)
        case .posted(let root, let result, let at): posted(root, result, at: at)
        case .chain(let root, let news): heard(news, of: root, at: clock.now)
        case .committed(.failure(let error)):
            committing = false
            fail(error)
        case .refilled(_, .failure(let error)), .refilledPolls(.failure(let error)),
            .refilledChains(.failure(let error)):
            fail(error)
        case .interrupted(let signal):
            logger.notice("signal \(signal): storing what is in flight, then ending; a second signal ends at once")
            end(.interrupted(signal: signal))
        case .woke: alarm.rang()
        }
    }

    private func report() {
        let budget = scheduler.budget
        board.update { progress in
            progress.done = progress.alreadySettled + tally.done
            progress.pages = tally.pages
            progress.tally = tally
            progress.rateLimited = tally.rateLimited
            progress.budgetLimit = budget.limit
            progress.budgetRemaining = budget.remaining
            progress.budgetResetsAt = budget.resetsAt
        }
    }
}
