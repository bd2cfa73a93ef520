import ActionsAPI
import Foundation

/// The export loop's part in chains of pages: does what each `PageFollower` asks for, and tells it what came of it.
extension ExportLoop {
    /// A step of a chain that is about to begin.
    enum ChainTask: Sendable {
        /// The database's: an intent, a run's ID, an end.
        case write(PageFollower.Action, of: RunKey)
        case post(PageFollower.Submission)
        case read(RunKey)
        case remember(StoredActionDescription, of: UUID)
    }

    /// What came of such a step.
    enum ChainNews: Sendable {
        /// nil: the intent is written.
        case intended(Result<Chain?, any Error>)
        case withdrawn(Result<Void, any Error>)
        /// nil: the run is one of old.
        case recorded(Result<Chain?, any Error>)
        case read(Result<OpenChain?, any Error>)
        /// The end, or why this export leaves the chain.
        case closed(Result<Void, any Error>)
        case remembered(Result<Void, any Error>)
    }

    // MARK: Beginning

    /// Goes on with a chain that the database has open.
    mutating func follow(_ open: OpenChain, at now: Date) {
        let chain = open.chain
        guard followers[chain.root] == nil, ending == nil, failure == nil else { return }
        let inputs: [UInt8]?
        do {
            inputs = try inputsHash(of: open)
        } catch {
            return fail(error)
        }
        followers[chain.root] = PageFollower(
            chain, inputsHash: inputs, manifestPosition: open.manifestPosition, longestRetry: rules.longestRetry)
        scheduler.chains.followed += 1
        let told = lookUps.description(of: chain.root.storedActionID) ?? chain.toldType.map { .told($0) }
        tell(chain.root, isNew: true) { $0.begin(told, at: now) }
    }

    /// Without a manifest only a chain that is asked for without inputs can go on.
    private func inputsHash(of open: OpenChain) throws -> [UInt8]? {
        guard pages.manifests != nil else {
            return open.chain.inputsHash == InputsHash.none ? InputsHash.none : nil
        }
        return InputsHash.of(try pages.inputs(at: open.manifestPosition))
    }

    /// A run of a chain is in the database.
    mutating func committed(_ commit: Commit, at now: Date) {
        guard let chain = commit.chain else { return }
        if let page = commit.item.page {
            guard !page.isRefetch else { return }
            if let pollAt = commit.pollAt {
                wait(until: pollAt, for: .fetch(commit.item), of: chain.root)
            } else {
                tell(chain.root) { $0.stored(chain, outcome: commit.outcome, at: now) }
            }
        } else if chain.pages > 0, chain.end == nil, followers[chain.root] == nil, scheduler.mayFollow() {
            follow(OpenChain(chain: chain, manifestPosition: commit.item.manifestPosition), at: now)
        }
    }

    // MARK: Acting

    /// Tells the follower of an event and does what it asks for.
    mutating func tell(
        _ root: RunKey, isNew: Bool = false, _ event: (inout PageFollower) -> PageFollower.Action
    ) {
        if let action = followers[root].modify(event) { perform(action, for: root, isNew: isNew) }
    }

    private mutating func perform(_ action: PageFollower.Action, for root: RunKey, isNew: Bool) {
        switch action {
        case .lookUp: lookUp(for: root, isNew: isNew)
        case .takeSlot where pagesFail: tell(root) { $0.unavailable() }
        case .takeSlot(let time): scheduler.chains.add(.post(root), at: time, isNew: isNew)
        case .suspend(let time): wait(until: time, for: .post(root), of: root)
        case .fetch(let item): scheduler.chains.add(.fetch(item), isNew: isNew)
        case .lookAgain(let time): wait(until: time, for: .lookAgain(root), of: root)
        case .post(let submission): chainTasks.append(.post(submission))
        case .writeIntent, .record, .withdraw, .end, .leave: chainTasks.append(.write(action, of: root))
        case .finish: drop(root)
        }
    }

    /// What is waited for is not this export's work: a page to be finished, the partner, another export.
    private mutating func wait(until time: Date, for request: ChainQueue.Request, of root: RunKey) {
        if scheduler.mayWaitForChain {
            scheduler.chains.add(request, at: time, isWait: true)
        } else {
            tell(root) { $0.notWaitedFor() }
        }
    }

    /// A page that the API does not know yet.
    mutating func wait(for item: RunItem, until time: Date) {
        if let root = item.page?.root { wait(until: time, for: .fetch(item), of: root) }
    }

    private mutating func drop(_ root: RunKey) {
        if followers.removeValue(forKey: root) != nil { scheduler.chains.followed -= 1 }
    }

    private mutating func lookUp(for root: RunKey, isNew: Bool) {
        let now = clock.now
        switch lookUps.want(root) {
        case .known(let description): tell(root) { $0.lookedUp(description, at: now) }
        case .failed: tell(root) { $0.lookedUp(nil, at: now) }
        case .waits(let isFirst): if isFirst { scheduler.chains.add(.lookUp(root.storedActionID), isNew: isNew) }
        }
    }

    mutating func slotTaken(by root: RunKey, at now: Date) {
        guard !pagesFail else {
            scheduler.postReturned { $0.notSent(at: now) }
            return tell(root) { $0.unavailable() }
        }
        let action = followers[root].modify { $0.slotTaken(intentID: UUID()) } ?? .finish
        if case .writeIntent = action {} else { scheduler.postReturned { $0.notSent(at: now) } }
        perform(action, for: root, isNew: false)
    }

    mutating func lookAgain(at root: RunKey) { chainTasks.append(.read(root)) }

    mutating func begin(
        _ task: ChainTask, _ posts: inout DiscardingTaskGroup, _ stores: inout DiscardingTaskGroup,
        _ mailbox: AsyncStream<Event>.Continuation
    ) {
        let (ledger, intents, pages, clock) = (ledger, intents, pages, clock)
        switch task {
        case .post(let submission):
            let inputs: [UInt8]
            do {
                inputs = try pages.inputs(at: followers[submission.root]?.manifestPosition)
            } catch {
                fail(error)
                scheduler.postReturned { $0.notSent(at: clock.now) }
                return tell(submission.root) { $0.posted(.stopped, at: clock.now, random: 0) }
            }
            posts.addTask {
                mailbox.yield(
                    .posted(submission.root, await pages.post(submission, inputs: inputs), at: clock.now))
            }
        case .write(let action, let root):
            scheduler.chains.writes += 1
            let (chain, now) = (followers[root]?.chain, clock.now)
            stores.addTask {
                mailbox.yield(
                    .chain(root, await Self.write(action, of: chain, ledger: ledger, intents: intents, at: now)))
            }
        case .read(let root):
            scheduler.chains.writes += 1
            stores.addTask {
                mailbox.yield(.chain(root, .read(await result { try await ledger.openChain(root) })))
            }
        case .remember(let description, let action):
            scheduler.chains.writes += 1
            stores.addTask {
                let key = RunKey(storedActionID: action, runID: action)
                mailbox.yield(
                    .chain(key, .remembered(await result { try await ledger.remember(description, of: action) })))
            }
        }
    }

    private static func write(
        _ action: PageFollower.Action, of chain: Chain?, ledger: Ledger, intents: IntentLog, at now: Date
    ) async -> ChainNews {
        switch action {
        case .writeIntent(let submission): return .intended(await result { try await intents.write(submission) })
        case .withdraw(let submission): return .withdrawn(await result { try await intents.withdraw(submission) })
        case .record(let submission, let runID):
            return .recorded(await result { try await intents.record(submission, runID: runID, at: now) })
        case .end(let end, let failedAttempts, let intentID):
            return .closed(
                await result {
                    guard let chain else { return }
                    try await ledger.end(chain, end, failedAttempts: failedAttempts, intentID: intentID)
                })
        case .leave(let left):
            return .closed(await result { if let chain { try await ledger.leave(chain.root, left) } })
        case .lookUp, .takeSlot, .suspend, .post, .fetch, .lookAgain, .finish: return .closed(.success(()))
        }
    }

    // MARK: Hearing

    mutating func heard(_ news: ChainNews, of root: RunKey, at now: Date) {
        scheduler.chains.writes -= 1
        switch news {
        case .intended(.success(let other)):
            let mayPost = ending == nil && failure == nil
            if other != nil || !mayPost { scheduler.postReturned { $0.notSent(at: now) } }
            tell(root) { $0.intended(other, mayPost: mayPost, at: now) }
        case .intended(.failure(let error)):
            scheduler.postReturned { $0.notSent(at: now) }
            lost(root, error)
        case .withdrawn(.success): tell(root) { $0.withdrawn() }
        case .recorded(.success(let chain)): tell(root) { $0.recorded(chain, at: now) }
        case .read(.success(let open?)): tell(root) { $0.read(open.chain, at: now) }
        case .read(.success(nil)), .closed(.success): drop(root)
        case .remembered(.success): break
        case .withdrawn(.failure(let error)), .recorded(.failure(let error)), .read(.failure(let error)),
            .closed(.failure(let error)), .remembered(.failure(let error)):
            lost(root, error)
        }
    }

    private mutating func lost(_ root: RunKey, _ error: any Error) {
        drop(root)
        fail(error)
    }

    mutating func lookedUp(_ action: UUID, _ result: PageRequests.LookUpResult, at now: Date) {
        scheduler.lookUpReturned()
        let chance = random()
        switch result {
        case .cancelled(let mayHaveLeft): cancelled(mayHaveLeft: mayHaveLeft, at: now)
        case .noToken(let error):
            scheduler.withBudget { $0.notSent(at: now) }
            noToken(error)
        case .failed(let error) where error.kind == .notConnected:
            countResent(error.resent)
            scheduler.withBudget { $0.notSent(at: now) }
            if let time = notConnected(error, at: now, random: chance) {
                scheduler.chains.add(.lookUp(action), at: time)
            }
        case .failed(let error):
            tally.request(status: nil)
            countResent(error.resent)
            scheduler.withBudget { $0.lost(at: now) }
            if error.answerBegan { heard() }
            if reachability.hasAnswered { hear(Health(error), isRetry: true, retryAfter: nil, at: now, random: chance) }
            lookUpFailed(action, error.failure, retryAfter: nil, at: now, random: chance)
        case .answered(let answer, let status, let headers, let resent):
            tally.request(status: status)
            countResent(resent)
            heard()
            compareClocks(headers, at: now)
            scheduler.withBudget { $0.answered(headers, status: status, at: now) }
            logStatus(status, of: .reads, opening: scheduler.budget.nextOpening, at: now)
            hear(Health(answer), isRetry: true, retryAfter: headers.retryAfter, at: now, random: chance)
            switch answer {
            case .known(let description):
                chainTasks.append(.remember(description, of: action))
                lookedUp(action, .told(description.actionType), at: now)
            case .refused(let status, _): lookedUp(action, .withheld(status: status), at: now)
            case .credentialsRefused(let errors): end(.credentialsRefused(errors.first?.plainCode ?? ""))
            case .throttled, .tokenEnded: scheduler.chains.add(.lookUp(action))
            case .faulty(let failure, _):
                lookUpFailed(action, failure, retryAfter: headers.retryAfter, at: now, random: chance)
            }
        }
    }

    private mutating func lookUpFailed(
        _ action: UUID, _ failure: RetryPolicy.Failure, retryAfter: Duration?, at now: Date, random chance: Double
    ) {
        if let delay = lookUps.failed(action, failure, retryAfter: retryAfter, random: chance),
            delay <= rules.longestRetry
        {
            scheduler.chains.add(.lookUp(action), at: now + delay.seconds)
        } else {
            lookedUp(action, nil, at: now)
        }
    }

    private mutating func lookedUp(_ action: UUID, _ description: ActionDescription?, at now: Date) {
        let roots = lookUps.answered(action, description)
        if case .withheld? = description, !roots.isEmpty {
            settle(.lookUp(of: roots, description ?? .withheld(status: 404)))
        } else {
            for root in roots { tell(root) { $0.lookedUp(description, at: now) } }
        }
        witnessLookedUp(action, description)
    }

    mutating func posted(_ root: RunKey, _ result: PageRequests.PostResult, at now: Date) {
        let chance = random()
        let outcome: SubmitOutcome
        switch result {
        case .cancelled(mayHaveLeft: true):
            tally.request(status: nil)
            scheduler.postReturned { $0.lost(at: now) }
            outcome = .inDoubt("the export was ended before the answer came")
        case .cancelled(mayHaveLeft: false):
            scheduler.postReturned { $0.notSent(at: now) }
            outcome = .stopped
        case .noToken(let error):
            scheduler.postReturned { $0.notSent(at: now) }
            noToken(error)
            outcome = .stopped
        case .failed(let error) where error.kind == .notConnected:
            scheduler.postReturned { $0.notSent(at: now) }
            outcome = notConnected(error, at: now, random: chance).map { .notSent(notBefore: $0) } ?? .stopped
        case .failed(let error):
            tally.request(status: nil)
            scheduler.postReturned { $0.lost(at: now) }
            if error.answerBegan { heard() }
            outcome = .inDoubt(error.reason)
            hearOfPages(.failing(reason: error.reason), retryAfter: nil, at: now, random: chance)
        case .answered(let answer, let status, let headers):
            tally.request(status: status)
            scheduler.postReturned { $0.answered(headers, status: status, at: now) }
            heard()
            logStatus(status, of: .runs, opening: scheduler.runsBudget.nextOpening, at: now)
            outcome = SubmitOutcome(answer, retryAfter: headers.retryAfter)
            hearOfPages(Health(answer), retryAfter: headers.retryAfter, at: now, random: chance)
            if case .credentialsRefused(let errors) = answer { end(.credentialsRefused(errors.first?.plainCode ?? "")) }
            if case .refused = outcome, [403, 404, 410].contains(status) {
                return settle(.post(of: root, outcome))
            }
        }
        tell(root) { $0.posted(outcome, at: now, random: chance) }
    }

    /// When requests for pages fail one after the other, the rest of the chains is left to the next export: each one
    /// more may be a page in doubt.
    private mutating func hearOfPages(_ health: Health, retryAfter: Duration?, at now: Date, random: Double) {
        switch health {
        case .unknown: break
        case .well:
            if pageCircuit.succeeded() { scheduler.resumePosts() }
            logWell(.failingPages, at: now)
        case .failing(let reason):
            switch pageCircuit.failed(retryAfter: retryAfter, at: now, random: random) {
            case .closed: break
            case .probe(let time):
                logFailing(.failingPages, reason, until: time, at: now)
                scheduler.probePosts(at: time)
            case .giveUp:
                pagesFail = true
                scheduler.resumePosts()
                while case .post(let root)? = scheduler.chains.removePost() { tell(root) { $0.unavailable() } }
            }
        }
    }
}

extension SubmitOutcome {
    init(_ answer: StartAnswer, retryAfter: Duration?) {
        self =
            switch answer {
            case .started(let runID): .started(runID: runID)
            case .refused(_, let reason): .refused(reason)
            case .credentialsRefused: .stopped
            // The next one departs with another token.
            case .throttled, .tokenEnded: .throttled
            case .unavailable: .unavailable(retryAfter: retryAfter)
            case .inDoubt(let reason): .inDoubt(reason)
            }
    }
}

extension Optional {
    /// Changes the value in its place, if there is one.
    fileprivate mutating func modify<R>(_ change: (inout Wrapped) -> R) -> R? {
        guard var value = self else { return nil }
        defer { self = value }
        return change(&value)
    }
}
