import ActionsAPI
import Foundation

/// The chains of pages that an export follows: passes each event to the chain's `PageFollower`, and turns what that
/// asks for into steps of the export.
struct ChainDesk: Sendable {
    /// What is to be done for a chain.
    enum Step: Sendable {
        /// The request goes into the queue, not before the time if there is one.
        case ask(ChainQueue.Request, at: Date?, isNew: Bool)
        /// The request waits for something that this export does not do: a page that is not finished, a partner that
        /// throttles, another export.
        case wait(ChainQueue.Request, until: Date, of: RunKey)
        /// The chain needs the description of its stored action.
        case lookUp(for: RunKey, isNew: Bool)
        case post(PageFollower.Submission, inputsAt: Int?)
        case write(ExportMachine.ChainWrite, of: RunKey)
        /// The chain's inputs are hashed, and the chain is followed.
        case prepare(OpenChain)
        /// The slot that the chain was given is not used.
        case giveBackSlot(of: RunKey)
        /// The request was refused in a way that may mean another account's token.
        case refused(RunKey, SubmitOutcome)
        /// Requests for pages fail one after the other: the rest of the chains is left to the next export.
        case closePages
        case end(Ending)
    }

    /// An API that asks to be left alone for longer is left to the next export.
    private let longestRetry: Duration
    private let newID: @Sendable () -> UUID
    private var followers: [RunKey: PageFollower] = [:]
    /// Chains that are to be followed, while their inputs are read.
    private var preparing: Set<RunKey> = []

    /// - Parameter newID: of intents.
    init(longestRetry: Duration, newID: @escaping @Sendable () -> UUID) {
        self.longestRetry = longestRetry
        self.newID = newID
    }

    /// Chains in memory.
    var count: Int { followers.count + preparing.count }

    // MARK: Beginning

    /// Goes on with a chain that the database has open.
    ///
    /// - Parameter description: of the stored action, if this export has looked it up.
    mutating func follow(
        _ ready: ExportMachine.ReadyChain, _ description: ActionDescription?, at now: Date
    ) -> [Step] {
        let chain = ready.open.chain
        preparing.remove(chain.root)
        guard followers[chain.root] == nil else { return [] }
        followers[chain.root] = PageFollower(
            chain, inputsHash: ready.inputsHash, manifestPosition: ready.open.manifestPosition,
            longestRetry: longestRetry)
        let described = description ?? chain.lookedUpType.map { .found(actionType: $0) }
        return forward(to: chain.root, at: now, isNew: true) { $0.begin(described, at: now) }
    }

    /// The chain cannot be followed after all.
    mutating func notReady(_ root: RunKey) { preparing.remove(root) }

    /// A page is in the database, or was given up for this time.
    mutating func stored(_ commit: Commit, at now: Date) -> [Step] {
        guard let chain = commit.chain, let page = commit.item.page, !page.isRefetch else { return [] }
        guard let pollAt = commit.pollAt else {
            return forward(to: chain.root, at: now) { $0.stored(chain, outcome: commit.outcome, at: now) }
        }
        return [.wait(.fetch(commit.item), until: pollAt, of: chain.root)]
    }

    /// The chain of a root that has just been stored, if it goes on and is not followed yet.
    func opened(by commit: Commit) -> OpenChain? {
        guard commit.item.page == nil, let chain = commit.chain, chain.pages > 0, chain.end == nil,
            followers[chain.root] == nil
        else { return nil }
        return OpenChain(chain: chain, manifestPosition: commit.item.manifestPosition)
    }

    mutating func prepare(_ open: OpenChain) -> [Step] {
        preparing.insert(open.chain.root)
        return [.prepare(open)]
    }

    // MARK: Pages

    /// - Parameter arePagesClosed: no further page is requested in this export.
    mutating func slotTaken(by root: RunKey, arePagesClosed: Bool, at now: Date) -> [Step] {
        if arePagesClosed { return [.giveBackSlot(of: root)] + unavailable([root], at: now) }
        guard let action = followers[root].modify({ $0.slotTaken(intentID: newID()) }) else {
            return [.giveBackSlot(of: root)]
        }
        let steps = perform(action, for: root, at: now)
        if case .writeIntent = action { return steps }
        return [.giveBackSlot(of: root)] + steps
    }

    /// - Parameter mayPost: false while the export ends.
    mutating func heard(_ news: ExportMachine.ChainResult, of root: RunKey, mayPost: Bool, at now: Date) -> [Step] {
        switch news {
        case .intended(.success(let other)):
            let steps = forward(to: root, at: now) { $0.intended(other, mayPost: mayPost, at: now) }
            return other != nil || !mayPost ? [.giveBackSlot(of: root)] + steps : steps
        case .withdrawn(.success): return forward(to: root, at: now) { $0.withdrawn() }
        case .recorded(.success(let chain)): return forward(to: root, at: now) { $0.recorded(chain, at: now) }
        case .read(.success(let chain?)): return forward(to: root, at: now) { $0.read(chain, at: now) }
        case .intended(.failure):
            followers[root] = nil
            return [.giveBackSlot(of: root)]
        case .read(.success(nil)), .closed(.success), .withdrawn(.failure), .recorded(.failure), .read(.failure),
            .closed(.failure):
            followers[root] = nil
            return []
        }
    }

    mutating func heard(
        _ reply: Reply<StartAnswer>, of root: RunKey, _ moment: Exchange.Moment, through exchange: inout Exchange
    ) -> [Step] {
        let outcome: SubmitOutcome
        var steps: [Step] = []
        switch exchange.heard(reply, to: .page(root), moment) {
        case .cancelled(mayHaveLeft: true): outcome = .inDoubt("the export was ended before the answer came")
        case .cancelled(mayHaveLeft: false): outcome = .stopped
        case .over(let ending):
            outcome = .stopped
            steps = [.end(ending)]
        case .again(let due): outcome = .notSent(notBefore: due)
        case .unanswered(let error):
            outcome = .inDoubt(error.reason)
            steps = Self.heard(.failing(reason: error.reason), retryAfter: nil, moment, through: &exchange)
        case .answered(let answer, let details):
            let retryAfter = details.head.headers.retryAfter
            outcome = SubmitOutcome(answer, retryAfter: retryAfter)
            steps = Self.heard(HealthReport(answer), retryAfter: retryAfter, moment, through: &exchange)
            if case .credentialsRefused(let errors) = answer {
                steps.append(.end(.credentialsRefused(errors.first?.plainCode ?? "")))
            }
            if case .refused = outcome, [403, 404, 410].contains(details.head.status) {
                return steps + [.refused(root, outcome)]
            }
        }
        return steps + posted(root, outcome, at: moment.now, random: moment.chance)
    }

    /// Each further request may be a page in doubt, so the API is soon given up.
    private static func heard(
        _ report: HealthReport, retryAfter: Duration?, _ moment: Exchange.Moment, through exchange: inout Exchange
    ) -> [Step] {
        let decision = exchange.heard(
            report, of: .page, retryAfter: retryAfter, at: moment.time, random: moment.chance)
        if case .giveUp = decision { return [.closePages] }
        return []
    }

    /// - Parameter random: 0 to 1, 1 excluded.
    mutating func posted(_ root: RunKey, _ outcome: SubmitOutcome, at now: Date, random: Double) -> [Step] {
        forward(to: root, at: now) { $0.posted(outcome, at: now, random: random) }
    }

    /// The export does not wait for what the chain waits for.
    mutating func notWaitedFor(_ root: RunKey, at now: Date) -> [Step] {
        forward(to: root, at: now) { $0.notWaitedFor() }
    }

    /// The API fails for every request for a page.
    mutating func unavailable(_ roots: [RunKey], at now: Date) -> [Step] {
        roots.flatMap { root in forward(to: root, at: now) { $0.unavailable() } }
    }

    /// The look-up of a stored action has ended.
    ///
    /// - Parameter description: nil if it failed permanently.
    mutating func lookedUp(_ roots: [RunKey], _ description: ActionDescription?, at now: Date) -> [Step] {
        roots.flatMap { root in forward(to: root, at: now) { $0.lookedUp(description, at: now) } }
    }

    // MARK: Followers

    private mutating func forward(
        to root: RunKey, at now: Date, isNew: Bool = false, _ event: (inout PageFollower) -> PageFollower.Action
    ) -> [Step] {
        followers[root].modify(event).map { perform($0, for: root, at: now, isNew: isNew) } ?? []
    }

    private mutating func perform(
        _ action: PageFollower.Action, for root: RunKey, at now: Date, isNew: Bool = false
    ) -> [Step] {
        switch action {
        case .lookUp: return [.lookUp(for: root, isNew: isNew)]
        case .takeSlot(let time): return [.ask(.post(root), at: time, isNew: isNew)]
        case .suspend(let time): return [.wait(.post(root), until: time, of: root)]
        case .fetch(let item): return [.ask(.fetch(item), at: nil, isNew: isNew)]
        case .lookAgain(let time): return [.wait(.lookAgain(root), until: time, of: root)]
        case .post(let submission): return [.post(submission, inputsAt: followers[root]?.manifestPosition)]
        case .writeIntent(let submission): return [.write(.intent(submission), of: root)]
        case .record(let submission, let runID): return [.write(.record(submission, runID: runID, at: now), of: root)]
        case .withdraw(let submission): return [.write(.withdrawal(submission), of: root)]
        case .end(let end, let failedAttempts, let intentID):
            guard let chain = followers[root]?.chain else { return [] }
            return [.write(.end(chain, end, failedAttempts: failedAttempts, intentID: intentID), of: root)]
        case .leave(let left): return [.write(.leave(left), of: root)]
        case .finish:
            followers[root] = nil
            return []
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

extension SubmitOutcome {
    init(_ answer: StartAnswer, retryAfter: Duration?) {
        self =
            switch answer {
            case .started(let runID): .started(runID: runID)
            case .refused(_, let reason): .refused(reason)
            case .credentialsRefused: .stopped
            // The next one leaves with another token.
            case .throttled, .tokenEnded: .throttled
            case .unavailable: .unavailable(retryAfter: retryAfter)
            case .inDoubt(let reason): .inDoubt(reason)
            }
    }
}
