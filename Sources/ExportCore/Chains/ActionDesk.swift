import ActionsAPI
import Foundation

/// What the export knows of stored actions: the look-ups that chains wait for, and those that show whose token it is.
struct ActionDesk: Sendable {
    /// What a look-up leads to.
    enum Step: Sendable {
        case ask(UUID, at: Date?, isNew: Bool)
        /// Before everything else: what is held up meanwhile would have to be asked for again after a crash.
        case askFirst(UUID)
        /// The chains go on with that; nil: the look-up failed permanently.
        case lookedUp([RunKey], ActionDescription?)
        /// The request for a page was refused, or does not count.
        case posted(RunKey, SubmitOutcome)
        case gather([FetchedRun])
        case remember(StoredActionDescription, of: UUID)
        /// Runs and chains that were held stay as they are, because nothing was found out.
        case nothingFoundOut
        case end(Ending)
    }

    /// A look-up whose `Retry-After` is longer is left to the next export.
    private let longestRetry: Duration
    private var lookUps = LookUps()
    private var account: AccountCheck

    init(witnesses: [UUID], longestRetry: Duration) {
        self.longestRetry = longestRetry
        account = AccountCheck(AccountWatch(witnesses: witnesses))
    }

    // MARK: Chains

    /// What is known of the stored action already.
    func description(of action: UUID) -> ActionDescription? { lookUps.description(of: action) }

    /// A chain needs the description of its stored action.
    mutating func lookUp(for root: RunKey, isNew: Bool) -> [Step] {
        switch lookUps.want(root.storedActionID, for: root) {
        case .known(let description): [.lookedUp([root], description)]
        case .failed: [.lookedUp([root], nil)]
        case .waits(let isFirst): isFirst ? [.ask(root.storedActionID, at: nil, isNew: isNew)] : []
        }
    }

    /// The request for a page was refused in a way that may mean another account's token.
    mutating func refused(_ root: RunKey, _ outcome: SubmitOutcome) -> [Step] { judge(.post(of: root, outcome)) }

    // MARK: Runs

    /// No further runs are to be fetched before the look-up has been answered: what is held takes memory.
    var isFull: Bool { account.isFull }

    /// The run was not finished: it exists.
    mutating func sawRun(of action: UUID) { account.sawRun(of: action) }

    /// A run was answered for the last time.
    ///
    /// - Returns: what counts now: the run, nothing while it is held.
    mutating func settle(_ run: FetchedRun) -> [Step] {
        switch account.judge(run) {
        case .accept: [.gather([run])]
        case .drop: []
        case .hold(let action): action.map { lookUpWitness($0) } ?? []
        }
    }

    // MARK: Look-ups

    mutating func heard(
        _ action: UUID, _ reply: Reply<LookUpAnswer>, _ moment: Exchange.Moment, through exchange: inout Exchange
    ) -> [Step] {
        let (time, chance) = (moment.time, moment.chance)
        switch exchange.heard(reply, to: .lookUp(action), moment) {
        case .cancelled: return []
        case .over(let ending): return [.end(ending)]
        case .again(let due): return [.ask(action, at: due, isNew: false)]
        case .unanswered(let error):
            var ending: Ending?
            if exchange.health.hasAnswered {
                ending =
                    exchange.heard(
                        HealthReport(error), of: .lookUp, retryAfter: nil, at: time, random: chance
                    ).ending
            }
            return (ending.map { [.end($0)] } ?? [])
                + failed(action, error.failure, retryAfter: nil, at: time, random: chance)
        case .answered(let answer, let details):
            let retryAfter = details.head.headers.retryAfter
            let ending = exchange.heard(
                HealthReport(answer), of: .lookUp, retryAfter: retryAfter, at: time, random: chance
            ).ending
            return (ending.map { [.end($0)] } ?? [])
                + answered(action, answer, retryAfter: retryAfter, at: time, random: chance)
        }
    }

    private mutating func answered(
        _ action: UUID, _ answer: LookUpAnswer, retryAfter: Duration?, at time: Date, random: Double
    ) -> [Step] {
        switch answer {
        case .known(let description):
            [.remember(description, of: action)] + lookedUp(action, .found(actionType: description.actionType))
        case .refused(let status, _): lookedUp(action, .withheld(status: status))
        case .credentialsRefused(let errors): [.end(.credentialsRefused(errors.first?.plainCode ?? ""))]
        case .throttled, .tokenEnded: [.ask(action, at: nil, isNew: false)]
        case .faulty(let failure, _): failed(action, failure, retryAfter: retryAfter, at: time, random: random)
        }
    }

    private mutating func failed(
        _ action: UUID, _ failure: RetryPolicy.Failure, retryAfter: Duration?, at time: Date, random: Double
    ) -> [Step] {
        if let delay = lookUps.failed(action, failure, retryAfter: retryAfter, random: random), delay <= longestRetry {
            return [.ask(action, at: time + delay.seconds, isNew: false)]
        }
        return lookedUp(action, nil)
    }

    private mutating func lookedUp(_ action: UUID, _ description: ActionDescription?) -> [Step] {
        let roots = lookUps.answered(action, description)
        let steps =
            if let description, case .withheld = description, !roots.isEmpty {
                judge(.lookUp(of: roots, description))
            } else {
                [Step.lookedUp(roots, description)]
            }
        return steps + witnessLookedUp(action, description)
    }

    // MARK: Whose token it is

    /// The export ends: the look-ups that the refusals wait for are no longer made.
    mutating func dropRefusals() -> [Step] { account.takeRefusals().flatMap { Self.step($0, counts: false) } }

    /// A refusal that would end chains counts, is held, or leaves the chains as they are.
    private mutating func judge(_ refusal: AccountCheck.Refusal) -> [Step] {
        switch account.judge(refusal) {
        case .accept: Self.step(refusal, counts: true)
        case .drop: Self.step(refusal, counts: false)
        case .hold(let action): action.map { lookUpWitness($0) } ?? []
        }
    }

    /// - Parameter counts: whether the refusal is about the chains, not about the token.
    private static func step(_ refusal: AccountCheck.Refusal, counts: Bool) -> [Step] {
        switch refusal {
        case .lookUp(let roots, let description): [.lookedUp(roots, counts ? description : nil)]
        case .post(let root, let outcome): [.posted(root, counts ? outcome : .stopped)]
        }
    }

    private mutating func lookUpWitness(_ action: UUID) -> [Step] {
        switch lookUps.want(action) {
        case .known(let description): witnessLookedUp(action, description)
        case .failed: witnessLookedUp(action, nil)
        case .waits(let isFirst): isFirst ? [.askFirst(action)] : []
        }
    }

    /// - Parameter description: nil if no try got an answer of use.
    private mutating func witnessLookedUp(_ action: UUID, _ description: ActionDescription?) -> [Step] {
        switch account.lookedUp(action, description) {
        case nil: []
        case .lookUp(let next): lookUpWitness(next)
        case .accept(let runs, let refusals): [.gather(runs)] + refusals.flatMap { Self.step($0, counts: true) }
        case .drop(let refusals): refusals.flatMap { Self.step($0, counts: false) } + [.nothingFoundOut]
        case .refuse(let hidden): [.end(.otherAccount(hidden))]
        }
    }
}
