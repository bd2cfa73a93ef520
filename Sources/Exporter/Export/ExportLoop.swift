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

    private let fetch: Fetch
    let pages: PageRequests
    let ledger: Ledger
    private let loader: Loader
    let intents: IntentLog
    let clock: SteadyClock
    private let board: ProgressBoard
    private let logger: Logger
    private let deadline: Date?
    let rules: RunRules

    var scheduler: Scheduler
    private var gate = BatchGate()
    private var watch = CredentialsWatch()
    private(set) var reachability = Reachability()
    private var circuit: Circuit
    /// Of the requests for pages alone: each one that fails may be a page in doubt, so few may.
    var pageCircuit: Circuit
    /// No further page is asked for in this export.
    var pagesFail = false
    /// Why no connection is to be had at present.
    private var noConnection: String?
    /// 0 to 1, 1 excluded.
    let random: @Sendable () -> Double
    /// The chains of pages that this export is at, by their roots.
    var followers: [RunKey: PageFollower] = [:]
    var lookUps = LookUps()
    /// Steps of chains that the next `act` begins.
    var chainTasks: Deque<ChainTask> = []

    /// Answers that wait for their batch.
    private var gathered: [LoadedRun] = []
    /// Forbidden runs, while the credentials themselves are in doubt.
    private var held: [LoadedRun] = []
    /// Runs given up without an answer, while the API has not answered anything.
    private var silent: [LoadedRun] = []
    private var committing = false
    private(set) var ending: Ending?
    private(set) var failure: (any Error)?
    private var cancelsAt: Date?
    private var alarm = Alarm()
    var tally = Tally()
    var hasPagesToRefetch: Bool { wasPageCut || scheduler.hasStoredPages }
    /// The request for a page that was to be fetched again was cut short.
    private var wasPageCut = false

    init(
        fetch: Fetch, pages: PageRequests, ledger: Ledger, loader: Loader, intents: IntentLog, options: ExportOptions,
        deadline: Date?, clock: SteadyClock, random: @escaping @Sendable () -> Double = { .random(in: 0..<1) },
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
        rules = RunRules(maxWait: options.maxWait)
        circuit = Circuit(longestGap: rules.longestRetry)
        pageCircuit = Circuit(threshold: 3, probes: 2, longestGap: rules.longestRetry)
        scheduler = Scheduler(
            options: Scheduler.Options(
                concurrency: options.concurrency, budgetShare: options.budgetShare, maxWait: options.maxWait,
                refetch: options.refetch))
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
                        alarm.set(for: wake, clock: clock) { mailbox.yield(.woke) }
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
        return ending ?? .finished
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
            case .fetch(let item):
                let (fetch, clock) = (fetch, clock)
                fetches.addTask { mailbox.yield(.answered(item, await fetch(item.key), at: clock.now)) }
            case .lookUp(let action):
                let (pages, clock) = (pages, clock)
                fetches.addTask { mailbox.yield(.lookedUp(action, await pages.lookUp(action), at: clock.now)) }
            case .post(let root): slotTaken(by: root, at: now)
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

    /// - Returns: whether a commit has begun.
    private mutating func store(
        _ stores: inout DiscardingTaskGroup, _ mailbox: AsyncStream<Event>.Continuation, at now: Date
    ) -> Bool {
        guard !committing, failure == nil, scheduler.mayCommit,
            let opens = gate.opens(at: now, expectsMore: scheduler.requestsInFlight > 0), opens <= now
        else { return false }
        let (loader, batch, count) = (loader, gathered, tally.count)
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
        cancelsAt = cancelsAt ?? clock.now + Self.grace
    }

    private mutating func endInTime(comeBackAt time: Date?) {
        end(noConnection.map { .apiUnreachable($0) } ?? .timeLimit(comeBackAt: time))
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

    private mutating func answered(_ item: RunItem, _ result: Fetch.Result, at now: Date) {
        var item = item
        scheduler.returned(item)
        let chance = random()
        switch result {
        case .cancelled(let mayHaveLeft):
            cancelled(mayHaveLeft: mayHaveLeft, at: now)
            scheduler.untrack(item)
            if item.page?.isRefetch == true { wasPageCut = true }
        case .noToken(let error):
            scheduler.withBudget { $0.notSent(at: now) }
            scheduler.untrack(item)
            if item.page?.isRefetch == true { wasPageCut = true }
            noToken(error)
        case .failed(let error) where error.kind == .notConnected:
            scheduler.withBudget { $0.notSent(at: now) }
            if let time = notConnected(error, at: now, random: chance) {
                scheduler.retry(item, at: time)
            } else {
                scheduler.untrack(item)
            }
        case .failed(let error):
            tally.request(status: nil)
            item.requests += 1
            scheduler.withBudget { $0.lost(at: now) }
            if error.answerBegan { heard() }
            let run = LoadedRun(item: item, verdict: .unanswered, answeredAt: now)
            let step = rules.step(item, error: error, random: chance)
            if reachability.hasAnswered {
                take(step, run, health: Health(error), retryAfter: nil, random: chance)
            } else {
                takeSilent(step, run, error)
            }
        case .answered(let answer, let status, let headers, let body, let lease):
            tally.request(status: status)
            item.requests += 1
            heard()
            scheduler.withBudget { $0.answered(headers, status: status, at: now) }
            let step = rules.step(item, answer: answer, retryAfter: headers.retryAfter, at: now, random: chance)
            if case .gone = answer { tally.gone += 1 }
            let run = LoadedRun(
                item: item, answer: answer, httpStatus: status, body: body, answeredAt: now, lease: lease)
            take(step, run, health: Health(answer, status: status), retryAfter: headers.retryAfter, random: chance)
        }
    }

    /// A read that the end of the export cut short.
    mutating func cancelled(mayHaveLeft: Bool, at now: Date) {
        if mayHaveLeft { tally.request(status: nil) }
        scheduler.withBudget { mayHaveLeft ? $0.lost(at: now) : $0.notSent(at: now) }
    }

    /// Without a token nothing can be asked any more.
    mutating func noToken(_ error: TokenError) {
        switch error.kind {
        case .refused: end(.credentialsRefused(error.reason))
        case .invalidSetting: end(.invalidSetting(error.reason))
        case .unreachable: end(.apiUnreachable(error.reason))
        }
    }

    private mutating func countTokenRequests(isLast: Bool = false) {
        for status in fetch.client.tokenRequests.take(isLast: isLast) { tally.request(status: status) }
    }

    /// Nothing goes out for a while; after too many such, the export ends.
    ///
    /// - Returns: when the request may be tried again; nil if the export ends.
    mutating func notConnected(_ error: TransportError, at now: Date, random chance: Double) -> Date? {
        noConnection = error.reason
        switch reachability.notConnected(at: now, random: chance) {
        case .probe(let time):
            scheduler.probe(at: time)
            return time
        case .giveUp:
            end(.apiUnreachable(error.reason))
            return nil
        }
    }

    /// - Parameter random: 0 to 1, 1 excluded.
    private mutating func take(
        _ step: RunStep, _ run: LoadedRun, health: Health, retryAfter: Duration?, random: Double
    ) {
        let isRetry = run.item.failures > 0
        switch hear(health, isRetry: isRetry, retryAfter: retryAfter, at: run.answeredAt, random: random) {
        case .closed: take(step, run)
        case .probe(let time):
            var item = run.item
            item.lastStatus = run.httpStatus
            scheduler.retry(item, at: time)
        case .giveUp:
            gather(run.failed(health))
            for item in scheduler.removeRetries() {
                let run = LoadedRun(
                    item: item, verdict: .unanswered, httpStatus: item.lastStatus, answeredAt: run.answeredAt)
                gather(run.failed(health))
            }
        }
    }

    /// What the API's health calls for, before anything else is made of the answer.
    @discardableResult
    mutating func hear(
        _ health: Health, isRetry: Bool, retryAfter: Duration?, at now: Date, random: Double
    ) -> Circuit.Word {
        switch health {
        case .unknown: return .closed
        case .well:
            if circuit.succeeded() { scheduler.resume() }
            return .closed
        case .failing(let reason):
            let word = circuit.failed(isRetry: isRetry, retryAfter: retryAfter, at: now, random: random)
            switch word {
            case .closed: break
            case .probe(let time): scheduler.probe(at: time)
            case .giveUp: end(.apiFailing(reason))
            }
            return word
        }
    }

    private mutating func take(_ step: RunStep, _ run: LoadedRun) {
        let word = watch.saw(step, status: run.httpStatus)
        if word == .refuse {
            // None of them is forbidden in truth: they stay queued.
            for run in held + [run] { scheduler.untrack(run.item) }
            held = []
            return end(.credentialsRefused(run.apiErrors.first?.detail ?? run.apiErrors.first?.title ?? ""))
        }
        if word == .accept { releaseHeld() }
        var run = run
        switch step {
        case .conclude(let verdict):
            run.verdict = verdict
            word == .hold ? held.append(run) : gather(run)
        case .poll(let verdict, let delay):
            run.verdict = verdict
            run.item.polls += 1
            run.item.failures = 0
            run.item.seenAlive = true
            run.pollAt = run.answeredAt + delay.seconds
            gather(run)
        case .retry(let delay):
            run.item.failures += 1
            run.item.lastStatus = run.httpStatus
            scheduler.retry(run.item, at: run.answeredAt + delay.seconds)
        case .miss(let delay):
            run.item.page?.misses += 1
            wait(for: run.item, until: run.answeredAt + delay.seconds)
        case .askAgain: scheduler.retry(run.item, at: run.answeredAt)
        case .refuse: break
        }
    }

    /// Somebody is there.
    mutating func heard() {
        noConnection = nil
        if reachability.answered() { scheduler.resume() }
        releaseSilent()
    }

    /// The API took the request, said nothing, and has never said anything: is it the run, or the API?
    private mutating func takeSilent(_ step: RunStep, _ run: LoadedRun, _ error: TransportError) {
        switch step {
        case .retry(let delay):
            // Shorter than this run's own wait, so that another run has its turn before.
            scheduler.pause(until: run.answeredAt + delay.seconds / 2)
            take(step, run)
        case .conclude(let verdict):
            var run = run
            run.verdict = verdict
            silent.append(run)
            guard silent.count == Reachability.silentRuns else { return }
            for run in silent { scheduler.untrack(run.item) }
            silent = []
            end(.apiUnreachable(error.reason))
        case .poll, .miss, .askAgain, .refuse: take(step, run)
        }
    }

    private mutating func releaseSilent() {
        for run in silent { gather(run) }
        silent = []
    }

    private mutating func releaseHeld() {
        for run in held { gather(run) }
        held = []
    }

    private mutating func gather(_ run: LoadedRun) {
        // With the database lost, nothing would ever commit it: the next export asks again.
        guard failure == nil else { return scheduler.untrack(run.item) }
        gathered.append(run)
        gate.gathered(run, at: clock.now)
        scheduler.gathered()
    }

    private func report() {
        let budget = scheduler.budget
        board.update { progress in
            progress.done = progress.alreadySettled + tally.done
            progress.pages = tally.pages
            progress.rateLimited = tally.rateLimited
            progress.budgetLimit = budget.limit
            progress.budgetRemaining = budget.remaining
            progress.budgetResetsAt = budget.resetsAt
        }
    }
}
