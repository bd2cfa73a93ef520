import ActionsAPI
import Foundation

/// Decides all that happens during an export: events in, effects out. It has no clock, no connection and no log of its
/// own; time comes with each event, chance and new IDs are handed in.
///
///     event ──▶ exchange      what the reply shows about budget and health
///                 └─▶ runs, actions, chains      what it means for the run, the stored action, the chain
///                        └─▶ scheduler, batch, shutdown      what can be done now ──▶ effects, and when to look again
package struct ExportMachine: Sendable {
    private let trap: @Sendable (String) -> Void

    /// Of the event that is being handled.
    private var now = Date.distantPast
    private var effects: [Effect] = []

    private var exchange: Exchange
    private var scheduler: Scheduler
    private var runs: RunDesk
    private var chains: ChainDesk
    private var actions: ActionDesk
    private var batch = Batch()
    private var shutdown: Shutdown

    /// An event came that cannot come in this state: a bug.
    package struct UnexpectedEvent: Error, CustomStringConvertible {
        package var description: String
    }

    /// - Parameters:
    ///   - opened: what the first step of opening the export has put into its work list.
    ///   - witnesses: stored actions of which the account has had results; without any, whose token it is is not
    ///     checked.
    ///   - deadline: when the time limit is over, by the clock of the events.
    ///   - random: 0 to 1, 1 excluded.
    ///   - newID: of requests for pages.
    ///   - trap: gets the description of an event that cannot come; if it returns, the export ends with
    ///     `UnexpectedEvent`.
    package init(
        options: ExportOptions, opened: OpenedStep, witnesses: [UUID], deadline: Date?,
        random: @escaping @Sendable () -> Double = { .random(in: 0..<1) },
        newID: @escaping @Sendable () -> UUID = { UUID() },
        trap: @escaping @Sendable (String) -> Void = { assertionFailure($0) }
    ) {
        self.trap = trap
        let rules = RunRules(maxWait: options.maxWait)
        runs = RunDesk(rules: rules)
        exchange = Exchange(budgetShare: options.budgetShare, longestGap: rules.longestRetry, random: random)
        chains = ChainDesk(longestRetry: rules.longestRetry, newID: newID)
        actions = ActionDesk(witnesses: witnesses, longestRetry: rules.longestRetry)
        shutdown = Shutdown(deadline: deadline)
        scheduler = Scheduler(
            options: Scheduler.Options(
                concurrency: options.concurrency, maxWait: options.maxWait, refetch: options.refetch),
            opened: opened)
    }

    // MARK: Events

    package mutating func begin(at time: Date) -> [Effect] {
        now = time
        act()
        return takeEffects()
    }

    package mutating func handle(_ event: Event, at time: Date) -> [Effect] {
        if scheduler.isHeldByBudget { exchange.waitedForBudget(time.timeIntervalSince(now)) }
        now = time
        hear(event)
        act()
        return takeEffects()
    }

    /// A request was made for a token.
    package mutating func tokenRequested(status: Int?) { exchange.tokenRequested(status: status) }

    private mutating func hear(_ event: Event) {
        guard isExpected(event) else { return unexpected("\(event.name) came when nothing of the kind was under way") }
        switch event {
        case .headArrived(let id, let head):
            exchange.headArrived(id, head, inFlight: scheduler.requestsInFlight, at: now)
            settleReleased()
        case .fetched(let item, let reply, let time):
            scheduler.returned(item)
            perform(runs.fetched(item, reply, moment(time), through: &exchange))
        case .lookedUp(let action, let reply, let time):
            scheduler.lookUpReturned()
            let steps = actions.heard(action, reply, moment(time), through: &exchange)
            settleReleased()
            perform(steps)
        case .posted(let root, let reply, let time):
            scheduler.postReturned()
            let steps = chains.heard(reply, of: root, moment(time), through: &exchange)
            settleReleased()
            perform(steps)
        case .inputsUnreadable(let root, let error):
            fail(error)
            giveBackSlot(of: root)
            perform(chains.posted(root, .stopped, at: now, random: 0))
        case .chain(let root, let news):
            scheduler.writeEnds()
            perform(chains.heard(news, of: root, mayPost: !shutdown.isUnderWay, at: now))
            if let error = news.error { fail(error) }
        case .chainReady(let root, let result):
            scheduler.writeEnds()
            switch result {
            case .success(let ready) where !shutdown.isUnderWay: follow(ready)
            case .success: chains.notReady(root)
            case .failure(let error):
                chains.notReady(root)
                fail(error)
            }
        case .remembered(let result):
            scheduler.writeEnds()
            if case .failure(let error) = result { fail(error) }
        case .committed(let result):
            batch.ended()
            succeeded(result)?.forEach { committed($0) }
        case .queueRead(let queue, let result): succeeded(result).map { scheduler.hasRead(queue, $0) }
        case .pollsRead(let result): succeeded(result).map { scheduler.hasRead(polls: $0) }
        case .opened(let result): succeeded(result).map { scheduler.opened($0) }
        case .chainsRead(let result, let taken):
            guard let ready = succeeded(result) else { return }
            scheduler.hasRead(chains: taken)
            for chain in ready where !shutdown.isUnderWay { follow(chain) }
        case .shelvingFailed(let error): fail(error)
        case .interrupted(let signal):
            exchange.note(
                .notice, "signal \(signal): storing what is in flight, then ending; a second signal ends at once")
            end(.interrupted(signal: signal))
        case .woke: break
        }
    }

    private func isExpected(_ event: Event) -> Bool {
        switch event {
        case .headArrived, .interrupted, .woke, .shelvingFailed: true
        case .fetched(let item, _, _): exchange.isOut(.run(item.key))
        case .lookedUp(let action, _, _): exchange.isOut(.lookUp(action))
        case .posted(let root, _, _), .inputsUnreadable(let root, _): exchange.isOut(.page(root))
        case .chain, .chainReady, .remembered: scheduler.isWriting
        case .committed: batch.isCommitting
        // A lost database is not waited for.
        case .queueRead(let queue, _): scheduler.isReading(queue) || shutdown.failure != nil
        case .pollsRead: scheduler.isReading(.polls) || shutdown.failure != nil
        case .chainsRead: scheduler.isReading(.chains) || shutdown.failure != nil
        case .opened: scheduler.isOpeningStep || shutdown.failure != nil
        }
    }

    private func moment(_ time: Date) -> Exchange.Moment {
        exchange.moment(time, inFlight: scheduler.requestsInFlight, at: now)
    }

    private mutating func follow(_ ready: ReadyChain) {
        let description = actions.description(of: ready.open.chain.root.storedActionID)
        perform(chains.follow(ready, description, at: now))
    }

    private mutating func unexpected(_ what: String) {
        trap(what)
        fail(UnexpectedEvent(description: what))
    }

    private mutating func succeeded<T>(_ result: Result<T, any Error>) -> T? {
        switch result {
        case .success(let value): return value
        case .failure(let error):
            fail(error)
            return nil
        }
    }

    private mutating func committed(_ commit: Commit) {
        exchange.committed(commit)
        if let poll = scheduler.committed(commit.item, pollAt: commit.pollAt) { effects.append(.shelve(.poll(poll))) }
        if let open = chains.opened(by: commit), !shutdown.isUnderWay {
            if scheduler.mayFollow() { perform(chains.prepare(open)) } else { effects.append(.shelve(.chain(open))) }
        }
        perform(chains.stored(commit, at: now))
    }

    // MARK: Acting

    /// Decides all that can be done now, and when to look again if nothing happens before.
    private mutating func act() {
        var wake: Date?
        var isFinished = false
        deciding: while true {
            if let deadline = shutdown.deadline, now >= deadline { endInTime(comeBackAt: nil) }
            switch scheduler.next(at: now, through: &exchange) {
            case .fetch(var item):
                item.askedAt = now
                exchange.asked(.run(item.key), at: now)
                effects.append(.fetch(item))
            case .lookUp(let action):
                exchange.asked(.lookUp(action), at: now)
                effects.append(.lookUp(action))
            case .post(let root):
                exchange.asked(.page(root), at: now)
                let arePagesClosed = exchange.health.arePagesClosed
                perform(chains.slotTaken(by: root, arePagesClosed: arePagesClosed, at: now))
            case .lookAgain(let root): store(.write(.read, of: root))
            case .open: effects.append(.store(.open))
            case .read(let queue):
                let options = scheduler.options
                let limit = queue == .chains ? options.chainBatchSize : options.batchSize
                effects.append(.store(.read(queue, limit: limit)))
            case .done:
                if runs.isHoldingRuns, shutdown.ending == nil {
                    perform(runs.releaseAll())
                    continue
                }
                isFinished = !store() && !batch.isCommitting
                break deciding
            case .wait(let until):
                if !store(), scheduler.isIdle, let deadline = shutdown.deadline, let until, until > deadline {
                    endInTime(comeBackAt: until)
                    continue
                }
                wake = [until, batch.opens(at: now, expectsMore: true)].compactMap(\.self).filter { $0 > now }.min()
                break deciding
            }
        }
        for cut in shutdown.takeCuts(at: now) { effects.append(cut == .reads ? .cancelReads : .cancelPosts) }
        if !isFinished {
            let looksAgain = [wake, shutdown.wakes(after: now)].compactMap(\.self).min()
            let isWaiting = scheduler.isIdle && shutdown.ending == nil
            let silence = exchange.waits(
                for: scheduler.heldUntil, inFlight: scheduler.requestsInFlight, until: isWaiting ? looksAgain : nil,
                at: now)
            effects.append(.wake(at: [looksAgain, silence].compactMap(\.self).min() ?? .distantFuture))
        } else {
            effects.append(.finish)
        }
    }

    /// - Returns: whether a commit has begun.
    private mutating func store() -> Bool {
        var hasBegun = false
        while shutdown.failure == nil,
            let opens = batch.opens(at: now, expectsMore: scheduler.requestsInFlight > 0), opens <= now
        {
            effects.append(.store(.commit(batch.take(), exchange.tally.requestCount)))
            hasBegun = true
        }
        return hasBegun
    }

    private mutating func takeEffects() -> [Effect] {
        defer { effects = [] }
        return exchange.takeLines().map { .log($0.severity, $0.text) } + effects
    }

    // MARK: Progress

    package var tally: Tally { exchange.tally }
    /// The budget of reads.
    package var readBudget: RateBudget { exchange.readBudget }

    // MARK: The end

    private mutating func end(_ reason: Ending) {
        guard shutdown.end(reason, at: now) else { return }
        scheduler.stop()
        // The look-ups that they wait for are not made any more.
        perform(actions.dropRefusals())
    }

    private mutating func endInTime(comeBackAt time: Date?) {
        end(exchange.health.noConnection.map { .apiUnreachable(.failed($0)) } ?? .timeLimit(comeBackAt: time))
    }

    /// The database is lost.
    private mutating func fail(_ error: any Error) {
        shutdown.fail(error, at: now)
        scheduler.abandon()
    }

    /// Why the export ended, or what the database could not do.
    package var result: Result<Ending, any Error> {
        if let failure = shutdown.failure { return .failure(failure) }
        let ending = shutdown.ending ?? .finished
        return .success(exchange.silence.map(ending.unanswered) ?? ending)
    }

    /// Pages that were to be fetched again are left.
    package var hasPagesToRefetch: Bool { scheduler.hasPagesToRefetch }

    // MARK: Runs

    private mutating func perform(_ moves: [RunMove]) {
        for move in moves {
            switch move {
            case .settle(let run): settle(run)
            case .poll(let run):
                actions.sawRun(of: run.item.key.storedActionID)
                gather(run)
            case .gather(let run): gather(run)
            case .retry(let item, let time): scheduler.retry(item, at: time)
            case .wait(let item, let time):
                if let root = item.page?.root { perform([.wait(.fetch(item), until: time, of: root)]) }
            case .release(let item): scheduler.release(item)
            case .failRetries(let reason, let time):
                perform(scheduler.removeRetries().map { RunMove(failing: $0, reason, at: time) })
            case .end(let ending): end(ending)
            }
        }
    }

    private mutating func settleReleased() { perform(runs.released(by: exchange.health)) }

    /// A run is answered for the last time.
    private mutating func settle(_ run: FetchedRun) {
        perform(actions.settle(run))
        scheduler.holdFetches(actions.isFull)
    }

    private mutating func gather(_ run: FetchedRun) {
        // With the database lost, nothing would ever commit it: the next export asks again.
        guard shutdown.failure == nil else { return scheduler.release(run.item) }
        batch.add(run, at: now)
        scheduler.gathered()
    }

    // MARK: Look-ups

    private mutating func perform(_ steps: [ActionDesk.Step]) {
        for step in steps {
            switch step {
            case .ask(let action, let time, let isNew): scheduler.add(.lookUp(action), at: time, isNew: isNew)
            case .askFirst(let action): scheduler.lookUpFirst(action)
            case .lookedUp(let roots, let description): perform(chains.lookedUp(roots, description, at: now))
            case .posted(let root, let outcome): perform(chains.posted(root, outcome, at: now, random: 0))
            case .gather(let runs): for run in runs { gather(run) }
            case .remember(let description, let action): store(.remember(description, of: action))
            case .nothingFoundOut:
                exchange.note(
                    .warning,
                    """
                    runs were answered with 404 or 403, and the export could not determine whether the token can see \
                    this account's stored actions; these runs are unchanged
                    """)
            case .end(let ending): end(ending)
            }
        }
        scheduler.holdFetches(actions.isFull)
    }

    // MARK: Chains of pages

    private mutating func perform(_ steps: [ChainDesk.Step]) {
        scheduler.follows(chains.count)
        for step in steps {
            switch step {
            case .ask(.post(let root), _, _) where exchange.health.arePagesClosed:
                perform(chains.unavailable([root], at: now))
            case .ask(let request, let time, let isNew): scheduler.add(request, at: time, isNew: isNew)
            case .wait(let request, let time, let root):
                if !scheduler.wait(for: request, until: time) { perform(chains.notWaitedFor(root, at: now)) }
            case .lookUp(let root, let isNew): perform(actions.lookUp(for: root, isNew: isNew))
            case .post(let submission, let position): effects.append(.post(submission, manifestPosition: position))
            case .write(let step, let root): store(.write(step, of: root))
            case .prepare(let open): store(.prepare(open))
            case .giveBackSlot(let root): giveBackSlot(of: root)
            case .refused(let root, let outcome): perform(actions.refused(root, outcome))
            case .closePages: perform(chains.unavailable(scheduler.removePosts(), at: now))
            case .end(let ending): end(ending)
            }
        }
    }

    /// For a chain or a stored action, which waits for the result.
    private mutating func store(_ work: DatabaseWork) {
        scheduler.writeBegins()
        effects.append(.store(work))
    }

    /// Of a POST that is not sent.
    private mutating func giveBackSlot(of root: RunKey) {
        scheduler.postReturned()
        exchange.giveBackSlot(.page(root), at: now)
    }
}
