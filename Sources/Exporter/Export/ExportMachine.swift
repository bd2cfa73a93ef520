import ActionsAPI
import Foundation

/// Decides all that happens during an export: events in, effects out. It has no clock, no connection and no log of its
/// own; time comes with each event, chance and new IDs are handed in.
///
///     event ──▶ handle ──▶ what it means for the run, the chain, the API's health, the export's end
///                 │
///                 └──▶ act: what can be done now ──▶ effects, and when to look again
struct ExportMachine: Sendable {
    /// Seconds that requests in flight may go on after the export was told to end.
    private static let grace: TimeInterval = 1.5
    /// Seconds after that in which the answer to a POST may still come: without it an operator has to look for its run.
    private static let postGrace: TimeInterval = 1.7

    private let deadline: Date?
    let rules: RunRules
    /// 0 to 1, 1 excluded.
    let random: @Sendable () -> Double
    let newID: @Sendable () -> UUID

    /// Of the event that is being handled.
    private(set) var now = Date.distantPast
    private var effects: [Effect] = []

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
    /// Requests of which the head of the answer has come, and not yet the rest.
    private var answering: Set<RequestID> = []
    /// A request was made, or a connection for one.
    private var hasAsked = false
    /// The chains of pages that this export is at, by their roots.
    var followers: [RunKey: PageFollower] = [:]
    var lookUps = LookUps()

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
    private var hasCancelled = (reads: false, posts: false)
    private var isFinished = false
    /// Since when requests wait for a rate window alone.
    private var waitsForBudgetSince: Date?
    private(set) var tally = Tally()
    var incidents = Incidents()
    /// The request for a page that was to be fetched again was cut short.
    var wasPageCut = false

    init(
        options: ExportOptions, accountWatch: AccountWatch, deadline: Date?,
        random: @escaping @Sendable () -> Double = { .random(in: 0..<1) },
        newID: @escaping @Sendable () -> UUID = { UUID() }
    ) {
        self.random = random
        self.newID = newID
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

    // MARK: Events

    mutating func begin(at time: Date) -> [Effect] {
        now = time
        act()
        return takeEffects()
    }

    mutating func handle(_ event: Event, at time: Date) -> [Effect] {
        now = time
        if let since = waitsForBudgetSince { tally.waitedForBudget += .seconds(now.timeIntervalSince(since)) }
        hear(event)
        act()
        return takeEffects()
    }

    /// A request was made for a token.
    mutating func tokenRequested(status: Int?) { tally.request(status: status) }

    private mutating func hear(_ event: Event) {
        switch event {
        case .headArrived(let id, let head): headArrived(id, head)
        case .fetched(let item, let reply, let time): fetched(item, reply, at: time)
        case .lookedUp(let action, let reply, let time): lookedUp(action, reply, at: time)
        case .posted(let root, let reply, let time): posted(root, reply, at: time)
        case .inputsUnreadable(let root, let error): inputsUnreadable(root, error)
        case .chain(let root, let news): heard(news, of: root)
        case .chainReady(let root, let result): chainReady(root, result)
        case .remembered(let result):
            scheduler.chains.writes -= 1
            if case .failure(let error) = result { fail(error) }
        case .committed(.success(let commits)):
            committing = false
            scheduler.commitEnds()
            for commit in commits {
                tally.committed(commit)
                scheduler.committed(commit.item, pollAt: commit.pollAt)
                committed(commit)
            }
        case .queueRead(let queue, .success(let items)): scheduler.refilled(queue, with: items)
        case .pollsRead(.success(let due)): scheduler.refilledPolls(with: due)
        case .chainsRead(.success(let chains)):
            scheduler.refilledChains(chains.count, limit: scheduler.options.chainStretch)
            for chain in chains { follow(chain) }
        case .committed(.failure(let error)):
            committing = false
            fail(error)
        case .queueRead(_, .failure(let error)), .pollsRead(.failure(let error)), .chainsRead(.failure(let error)):
            fail(error)
        case .interrupted(let signal):
            log(.notice, "signal \(signal): storing what is in flight, then ending; a second signal ends at once")
            end(.interrupted(signal: signal))
        case .woke: break
        }
    }

    // MARK: Acting

    /// Decides all that can be done now, and when to look again if nothing happens before.
    private mutating func act() {
        var wake = Date.distantFuture
        deciding: while true {
            if let deadline, now >= deadline { endInTime(comeBackAt: nil) }
            switch scheduler.next(at: now) {
            case .fetch(var item):
                item.askedAt = now
                asks(.reads)
                effects.append(.fetch(item))
            case .lookUp(let action):
                asks(.reads)
                effects.append(.lookUp(action))
            case .post(let root):
                asks(.runs)
                slotTaken(by: root)
            case .lookAgain(let root): write(.read, of: root)
            case .refill(let queue, let cursor):
                let limit = queue == .chains ? scheduler.options.chainStretch : scheduler.options.stretch
                effects.append(.read(queue, after: cursor, limit: limit))
            case .done:
                if !held.isEmpty || !silent.isEmpty, ending == nil {
                    releaseHeld()
                    releaseSilent()
                    continue
                }
                isFinished = !store() && !committing
                break deciding
            case .wait(let until):
                if !store(), scheduler.isIdle, let deadline, let until, until > deadline {
                    endInTime(comeBackAt: until)
                    continue
                }
                let opens = committing ? nil : gate.opens(at: now, expectsMore: true)
                wake =
                    [until, opens, deadline, cancelsAt, cancelsPostsAt].compactMap { $0 }.filter { $0 > now }.min()
                    ?? wake
                break deciding
            }
        }
        cancel()
        if isFinished { return effects.append(.finish) }
        logStates(until: wake)
        waitsForBudgetSince = scheduler.isHeldByBudget ? now : nil
        effects.append(.wake(at: min(wake, incidents.silenceAt ?? wake)))
    }

    private mutating func cancel() {
        if let cancelsAt, now >= cancelsAt, !hasCancelled.reads {
            hasCancelled.reads = true
            effects.append(.cancelReads)
        }
        if let cancelsPostsAt, now >= cancelsPostsAt, !hasCancelled.posts {
            hasCancelled.posts = true
            effects.append(.cancelPosts)
        }
    }

    private mutating func asks(_ bucket: Scheduler.Bucket) {
        hasAsked = true
        logRequest(of: bucket, at: now)
    }

    /// - Returns: whether a commit has begun.
    private mutating func store() -> Bool {
        guard !committing, failure == nil, scheduler.mayCommit,
            let opens = gate.opens(at: now, expectsMore: scheduler.requestsInFlight > 0), opens <= now
        else { return false }
        effects.append(.commit(gathered, tally.requestCount))
        gathered = []
        gate.opened()
        committing = true
        scheduler.commitBegins()
        return true
    }

    private var cancelsPostsAt: Date? { cancelsAt.map { $0 + Self.postGrace } }

    private mutating func takeEffects() -> [Effect] {
        defer { effects = [] }
        return effects
    }

    mutating func log(_ severity: Severity, _ text: String) { effects.append(.log(severity, text)) }

    mutating func write(_ write: ChainWrite, of root: RunKey) {
        scheduler.chains.writes += 1
        effects.append(.write(write, of: root))
    }

    mutating func remember(_ description: StoredActionDescription, of action: UUID) {
        scheduler.chains.writes += 1
        effects.append(.remember(description, of: action))
    }

    mutating func post(_ submission: PageFollower.Submission, inputsAt position: Int?) {
        effects.append(.post(submission, manifestPosition: position))
    }

    mutating func prepare(_ open: OpenChain) {
        scheduler.chains.writes += 1
        effects.append(.prepare(open))
    }

    // MARK: The end

    /// The first reason stops the export; a graver one that comes up while it ends takes its place.
    mutating func end(_ reason: Ending) {
        if let ending, ending.rank <= reason.rank { return }
        ending = reason
        scheduler.stop()
        // The requests that they wait for are not made any more.
        releaseRefusals(counts: false)
        cancelsAt = cancelsAt ?? now + Self.grace
    }

    private mutating func endInTime(comeBackAt time: Date?) {
        end(noConnection.map { .apiUnreachable($0) } ?? .timeLimit(comeBackAt: time))
    }

    /// The database is lost.
    mutating func fail(_ error: any Error) {
        failure = failure ?? error
        scheduler.abandon()
        cancelsAt = cancelsAt ?? now + Self.grace
    }

    /// Why the export ended, or what the database could not do.
    var result: Result<Ending, any Error> {
        if let failure { return .failure(failure) }
        let ending = ending ?? .finished
        if watch.hasSeenOnlyPages { return .success(ending.unanswered(Self.blocked())) }
        guard hasAsked, !reachability.hasAnswered else { return .success(ending) }
        return .success(ending.unanswered(noConnection ?? "it answered none of the requests"))
    }

    var hasPagesToRefetch: Bool { wasPageCut || scheduler.hasStoredPages }

    // MARK: What all replies have in common

    /// What is left of a reply once the budget, the tally, the log and the API's reachability have heard of it.
    enum Heard<Answer> {
        case answered(Answer, ReplyDetails)
        case unanswered(TransportError)
        /// No connection was made: to be asked again then.
        case again(at: Date)
        /// The export asks for nothing more.
        case stopped
        case cancelled(mayHaveLeft: Bool)
    }

    /// The API answers: the budget need not wait for a body that may be long in coming.
    private mutating func headArrived(_ id: RequestID, _ head: ReplyHead) {
        answering.insert(id)
        apiAnswered()
        compareClocks(head.headers, at: head.at)
        scheduler.settle(id.bucket) { $0.answered(head.headers, status: head.status, at: head.at) }
        logStatus(head.status, of: id.bucket, opening: scheduler.nextOpening(id.bucket), at: head.at)
    }

    /// The one place that hears replies, whatever was asked for.
    ///
    /// - Parameters:
    ///   - isThrottled: whether an answer is throttled though its head says otherwise.
    ///   - chance: 0 to 1, 1 excluded.
    mutating func hear<Answer>(
        _ reply: Reply<Answer>, to id: RequestID, at time: Date, chance: Double,
        isThrottled: (Answer) -> Bool = { _ in false }
    ) -> Heard<Answer> {
        let (bucket, hasHead) = (id.bucket, answering.remove(id) != nil)
        switch reply {
        case .cancelled(let mayHaveLeft):
            if mayHaveLeft { tally.request(status: nil) }
            if !hasHead { scheduler.settle(bucket) { mayHaveLeft ? $0.lost(at: time) : $0.notSent(at: time) } }
            return .cancelled(mayHaveLeft: mayHaveLeft)
        case .noToken(let error):
            scheduler.settle(bucket) { $0.notSent(at: time) }
            noToken(error)
            return .stopped
        case .failed(let error) where error.kind == .notConnected:
            countResent(error.resent)
            scheduler.settle(bucket) { $0.notSent(at: time) }
            return notConnected(error, at: time, random: chance).map { .again(at: $0) } ?? .stopped
        case .failed(let error):
            tally.request(status: nil)
            countResent(error.resent)
            if !hasHead { scheduler.settle(bucket) { $0.lost(at: time) } }
            if error.answerBegan { apiAnswered() }
            return .unanswered(error)
        case .answered(let answer, let details):
            let head = details.head
            tally.request(status: head.status)
            countResent(details.resent)
            if hasHead { apiAnswered() } else { headArrived(id, head) }
            answering.remove(id)
            if isThrottled(answer), head.status != 429 {
                scheduler.settle(bucket) { $0.wasThrottled(head.headers, at: time) }
                logStatus(429, of: bucket, opening: scheduler.nextOpening(bucket), at: time)
            }
            return .answered(answer, details)
        }
    }

    /// A read left in vain so many times before, on connections that failed under it: it costs no try.
    private mutating func countResent(_ times: Int) {
        for _ in 0..<times { tally.request(status: nil) }
        scheduler.settle(.reads) { $0.resent(times: times) }
    }

    /// The API answered.
    private mutating func apiAnswered() {
        noConnection = nil
        tally.answeredAt = now
        logAnswer(at: now)
        if reachability.answered() {
            if let probesAt = circuit.probesAt { scheduler.probe(at: probesAt) } else { scheduler.resume() }
        }
        releaseSilent()
    }

    private mutating func compareClocks(_ headers: RateLimitHeaders, at now: Date) {
        if let warning = clockWitness.heard(headers.date, at: now) { log(.warning, warning) }
    }

    /// What the answer shows of runs that are not past their time.
    mutating func count(_ step: RunStep, status: Int, isPastTime: Bool) {
        tally.answered(step, status: status, isPastTime: isPastTime)
    }

    // MARK: Progress

    func report(to progress: inout ExportProgress) {
        let budget = scheduler.budget
        progress.done = progress.alreadySettled + tally.done
        progress.pages = tally.pages
        progress.tally = tally
        progress.rateLimited = tally.rateLimited
        progress.budgetLimit = budget.limit
        progress.budgetRemaining = budget.remaining
        progress.budgetResetsAt = budget.resetsAt
    }
}
