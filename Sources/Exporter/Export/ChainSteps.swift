import ActionsAPI
import Foundation

/// The machine's part in chains of pages: decides what each `PageFollower` gets of what it asks for, and tells it what came
/// of it.
extension ExportMachine {
    // MARK: Beginning

    /// Goes on with a chain that the database has open.
    mutating func follow(_ ready: ReadyChain) {
        let chain = ready.open.chain
        guard followers[chain.root] == nil, ending == nil, failure == nil else { return }
        followers[chain.root] = PageFollower(
            chain, inputsHash: ready.inputsHash, manifestPosition: ready.open.manifestPosition,
            longestRetry: rules.longestRetry)
        scheduler.chains.followed += 1
        let described = lookUps.description(of: chain.root.storedActionID) ?? chain.toldType.map { .told($0) }
        tell(chain.root, isNew: true) { $0.begin(described, at: $1) }
    }

    /// A chain whose root has just been stored, and which has its place already.
    mutating func chainReady(_ root: RunKey, _ result: Result<ReadyChain, any Error>) {
        scheduler.chains.writes -= 1
        scheduler.chains.followed -= 1
        switch result {
        case .success(let ready): follow(ready)
        case .failure(let error): fail(error)
        }
    }

    /// A run of a chain is in the database.
    mutating func committed(_ commit: Commit) {
        guard let chain = commit.chain else { return }
        if let page = commit.item.page {
            guard !page.isRefetch else { return }
            if let pollAt = commit.pollAt {
                wait(until: pollAt, for: .fetch(commit.item), of: chain.root)
            } else {
                tell(chain.root) { $0.stored(chain, outcome: commit.outcome, at: $1) }
            }
        } else if chain.pages > 0, chain.end == nil, followers[chain.root] == nil, scheduler.mayFollow() {
            guard ending == nil, failure == nil else { return }
            scheduler.chains.followed += 1
            prepare(OpenChain(chain: chain, manifestPosition: commit.item.manifestPosition))
        }
    }

    // MARK: Acting

    /// Tells the follower of an event and does what it asks for.
    mutating func tell(
        _ root: RunKey, isNew: Bool = false, _ event: (inout PageFollower, _ now: Date) -> PageFollower.Action
    ) {
        let now = now
        if let action = followers[root].modify({ event(&$0, now) }) { perform(action, for: root, isNew: isNew) }
    }

    private mutating func perform(_ action: PageFollower.Action, for root: RunKey, isNew: Bool) {
        switch action {
        case .lookUp: lookUp(for: root, isNew: isNew)
        case .takeSlot where pagesFail: tell(root) { follower, _ in follower.unavailable() }
        case .takeSlot(let time): scheduler.chains.add(.post(root), at: time, isNew: isNew)
        case .suspend(let time): wait(until: time, for: .post(root), of: root)
        case .fetch(let item): scheduler.chains.add(.fetch(item), isNew: isNew)
        case .lookAgain(let time): wait(until: time, for: .lookAgain(root), of: root)
        case .post(let submission): post(submission, inputsAt: followers[root]?.manifestPosition)
        case .writeIntent(let submission): write(.intent(submission), of: root)
        case .record(let submission, let runID): write(.record(submission, runID: runID, at: now), of: root)
        case .withdraw(let submission): write(.withdrawal(submission), of: root)
        case .end(let end, let failedAttempts, let intentID):
            guard let chain = followers[root]?.chain else { return }
            write(.end(chain, end, failedAttempts: failedAttempts, intentID: intentID), of: root)
        case .leave(let left): write(.leave(left), of: root)
        case .finish: drop(root)
        }
    }

    /// What is waited for is not this export's work: a page to be finished, the partner, another export.
    private mutating func wait(until time: Date, for request: ChainQueue.Request, of root: RunKey) {
        if scheduler.mayWaitForChain {
            scheduler.chains.add(request, at: time, isWait: true)
        } else {
            tell(root) { follower, _ in follower.notWaitedFor() }
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
        switch lookUps.want(root.storedActionID, for: root) {
        case .known(let description): tell(root) { $0.lookedUp(description, at: $1) }
        case .failed: tell(root) { $0.lookedUp(nil, at: $1) }
        case .waits(let isFirst): if isFirst { scheduler.chains.add(.lookUp(root.storedActionID), isNew: isNew) }
        }
    }

    mutating func slotTaken(by root: RunKey) {
        guard !pagesFail else {
            giveBackSlot()
            return tell(root) { follower, _ in follower.unavailable() }
        }
        let action = followers[root].modify { $0.slotTaken(intentID: newID()) } ?? .finish
        if case .writeIntent = action {} else { giveBackSlot() }
        perform(action, for: root, isNew: false)
    }

    /// Of a POST that is not sent.
    private mutating func giveBackSlot() {
        scheduler.postReturned()
        scheduler.settle(.runs) { [now] in $0.notSent(at: now) }
    }

    mutating func inputsUnreadable(_ root: RunKey, _ error: any Error) {
        fail(error)
        giveBackSlot()
        tell(root) { $0.posted(.stopped, at: $1, random: 0) }
    }

    // MARK: Hearing

    mutating func heard(_ news: ChainNews, of root: RunKey) {
        scheduler.chains.writes -= 1
        switch news {
        case .intended(.success(let other)):
            let mayPost = ending == nil && failure == nil
            if other != nil || !mayPost { giveBackSlot() }
            tell(root) { $0.intended(other, mayPost: mayPost, at: $1) }
        case .intended(.failure(let error)):
            giveBackSlot()
            lost(root, error)
        case .withdrawn(.success): tell(root) { follower, _ in follower.withdrawn() }
        case .recorded(.success(let chain)): tell(root) { $0.recorded(chain, at: $1) }
        case .read(.success(let open?)): tell(root) { $0.read(open.chain, at: $1) }
        case .read(.success(nil)), .closed(.success): drop(root)
        case .withdrawn(.failure(let error)), .recorded(.failure(let error)), .read(.failure(let error)),
            .closed(.failure(let error)):
            lost(root, error)
        }
    }

    private mutating func lost(_ root: RunKey, _ error: any Error) {
        drop(root)
        fail(error)
    }

    mutating func lookedUp(_ action: UUID, _ reply: Reply<LookUpAnswer>, at time: Date) {
        scheduler.lookUpReturned()
        let chance = random()
        switch hear(reply, to: .lookUp(action), at: time, chance: chance) {
        case .cancelled, .stopped: break
        case .again(let due): scheduler.chains.add(.lookUp(action), at: due)
        case .unanswered(let error):
            if reachability.hasAnswered {
                hear(Health(error), isRetry: true, retryAfter: nil, at: time, random: chance)
            }
            lookUpFailed(action, error.failure, retryAfter: nil, at: time, random: chance)
        case .answered(let answer, let details):
            let retryAfter = details.head.headers.retryAfter
            hear(Health(answer), isRetry: true, retryAfter: retryAfter, at: time, random: chance)
            switch answer {
            case .known(let description):
                remember(description, of: action)
                lookedUp(action, .told(description.actionType))
            case .refused(let status, _): lookedUp(action, .withheld(status: status))
            case .credentialsRefused(let errors): end(.credentialsRefused(errors.first?.plainCode ?? ""))
            case .throttled, .tokenEnded: scheduler.chains.add(.lookUp(action))
            case .faulty(let failure, _):
                lookUpFailed(action, failure, retryAfter: retryAfter, at: time, random: chance)
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
            lookedUp(action, nil)
        }
    }

    private mutating func lookedUp(_ action: UUID, _ description: ActionDescription?) {
        let roots = lookUps.answered(action, description)
        if case .withheld? = description, !roots.isEmpty {
            settle(.lookUp(of: roots, description ?? .withheld(status: 404)))
        } else {
            for root in roots { tell(root) { $0.lookedUp(description, at: $1) } }
        }
        witnessLookedUp(action, description)
    }

    mutating func posted(_ root: RunKey, _ reply: Reply<StartAnswer>, at time: Date) {
        scheduler.postReturned()
        let chance = random()
        let outcome: SubmitOutcome
        switch hear(reply, to: .page(root), at: time, chance: chance) {
        case .cancelled(mayHaveLeft: true): outcome = .inDoubt("the export was ended before the answer came")
        case .cancelled(mayHaveLeft: false), .stopped: outcome = .stopped
        case .again(let due): outcome = .notSent(notBefore: due)
        case .unanswered(let error):
            outcome = .inDoubt(error.reason)
            hearOfPages(.failing(reason: error.reason), retryAfter: nil, at: time, random: chance)
        case .answered(let answer, let details):
            let retryAfter = details.head.headers.retryAfter
            outcome = SubmitOutcome(answer, retryAfter: retryAfter)
            hearOfPages(Health(answer), retryAfter: retryAfter, at: time, random: chance)
            if case .credentialsRefused(let errors) = answer { end(.credentialsRefused(errors.first?.plainCode ?? "")) }
            if case .refused = outcome, [403, 404, 410].contains(details.head.status) {
                return settle(.post(of: root, outcome))
            }
        }
        tell(root) { $0.posted(outcome, at: $1, random: chance) }
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
                while case .post(let root)? = scheduler.chains.removePost() {
                    tell(root) { follower, _ in follower.unavailable() }
                }
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
