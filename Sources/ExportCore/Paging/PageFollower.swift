import ActionsAPI
import Foundation

/// Follows one chain of pages: events in, actions out. It holds no clock, no connection and no inputs.
///
///     asked for ─▶ looking up ─▶ ready ─▶ intending ─▶ submitting ─▶ recording ─▶ polled ─▶ stored ─┐
///         ▲            │           ▲          │            │ │ │                    │         │      │
///         │            │           │          │            │ │ └─ surely not sent   │         │      │
///         │            │           └──────────┼─────── withdrawing                  │         │      │
///         │            ▼                      ▼            │                        ▼         ▼      │
///         │         refused             another export     ├─▶ submit_unknown     left      ended    │
///         │                             is at the page     └─▶ page_error        (open)              │
///         └──────────────────────────────── next, or suspended ◀─────────────────────────────────────┘
///
/// | state | what is durable | killed here, the next export |
/// | --- | --- | --- |
/// | asked for, looking up, ready | the pages so far and the cursor of the next | begins here again |
/// | intending | perhaps the intent | finds none and begins again, or finds it: `submit_unknown` |
/// | submitting | the intent | `submit_unknown`: never sent again automatically |
/// | withdrawing | perhaps the intent | begins again, or `submit_unknown` |
/// | recording | perhaps the run's ID | `submit_unknown`, or fetches the run |
/// | polled | the run's ID | fetches the run |
/// | stored | the page, its rows and the next cursor, at once | begins with the next page |
///
/// What is durable is a ``Chain``, and every decision is taken from it: so a follower that begins in the middle does
/// what one would have done that was there all along.
package struct PageFollower: Sendable {
    /// One request for one page.
    package struct Submission: Sendable, Equatable {
        package var root: RunKey
        /// Place of the page in its chain, from 1.
        package var pageNumber: Int
        package var cursor: String
        /// From 1.
        package var attempt: Int
        package var intentID: UUID
        package var inputsHash: [UInt8]
    }

    enum Action: Sendable, Equatable {
        /// Ask the API what the stored action is; then `lookedUp`.
        case lookUp
        /// Have a slot of the runs bucket, at that time or later; then `slotTaken`.
        case takeSlot(notBefore: Date?)
        /// The same, but the partner is to be left alone until then.
        case suspend(until: Date)
        /// Commit the intent; then `intended`.
        case writeIntent(Submission)
        /// Send the POST; then `posted`.
        case post(Submission)
        /// Commit the run's ID, until it is stored; then `recorded`.
        case record(Submission, runID: UUID)
        /// Take the intent back; then `withdrawn`.
        case withdraw(Submission)
        /// Fetch the page's run until it is finished, and store each answer; then `stored`.
        case fetch(RunItem)
        /// Read the chain again at that time; then `read`.
        case lookAgain(at: Date)
        /// Write the end down; the follower is done. `intentID`: of the request that is in doubt, if one is.
        case end(ChainEnd, failedAttempts: Int, intentID: UUID? = nil)
        /// Go no further with the chain in this export, and write down why; the follower is done.
        case leave(ChainLeft)
        /// The follower is done, and there is nothing to write down.
        case finish
    }

    private enum State: Equatable {
        /// The chain says what is next; nothing is under way.
        case asked
        case lookingUp
        /// All but a slot of the runs bucket is there.
        case ready
        /// The intent is on its way to the database.
        case intending(Submission)
        /// The intent is committed: from here the POST may have left.
        case submitting(Submission)
        /// The API started the run; its ID is on its way to the database.
        case recording(Submission)
        /// Surely no run was started; the intent is being taken back.
        case withdrawing(Submission, Withdrawal)
        /// The page's run is asked for until it is finished; its answers are on their way to the database.
        case polled
        case done
    }

    private enum Withdrawal: Equatable { case again(notBefore: Date?), leave(ChainLeft), stop }

    /// How often one export starts a page again that its partner throttles.
    static let throttledAttempts = 10
    /// How long to wait before looking whether another export's request has been answered.
    static let lookAgainGap: Duration = .seconds(1)

    private(set) var chain: Chain
    /// What the manifest of this export would send; nil if it names no inputs for this chain.
    private let inputsHash: [UInt8]?
    /// Where the manifest has the inputs.
    let manifestPosition: Int?
    private let retries: RetryPolicy
    /// An API that wants to be left alone for longer is left to the next export.
    private let longestRetry: Duration
    private var description: ActionDescription?
    private var state = State.asked
    /// POSTs for the next page that the API was not there for.
    private var failures = 0
    /// Pages in a row that the partner throttled.
    private var throttled = 0

    init(
        _ chain: Chain, inputsHash: [UInt8]?, manifestPosition: Int? = nil, retries: RetryPolicy = RetryPolicy(),
        longestRetry: Duration = .seconds(600)
    ) {
        self.chain = chain
        self.inputsHash = inputsHash
        self.manifestPosition = manifestPosition
        self.retries = retries
        self.longestRetry = longestRetry
    }

    // MARK: Events

    /// - Parameter description: of the stored action, if it is known.
    mutating func begin(_ description: ActionDescription?, at now: Date) -> Action {
        self.description = description
        return decide(at: now)
    }

    /// - Parameter description: nil if the look-up failed permanently.
    mutating func lookedUp(_ description: ActionDescription?, at now: Date) -> Action {
        guard let description else {
            return leave(ChainLeft(.lookUpFailed, "the stored action could not be looked up"))
        }
        self.description = description
        return decide(at: now)
    }

    mutating func slotTaken(intentID: UUID) -> Action {
        guard state == .ready, let inputsHash, let cursor = chain.cursor else { return finish() }
        let submission = Submission(
            root: chain.root, pageNumber: chain.pages, cursor: cursor, attempt: chain.failedAttempts + 1,
            intentID: intentID, inputsHash: inputsHash)
        state = .intending(submission)
        return .writeIntent(submission)
    }

    /// - Parameters:
    ///   - other: the chain as it is, if the intent was not written: another export is ahead.
    ///   - mayPost: false if the export is ending.
    mutating func intended(_ other: Chain?, mayPost: Bool, at now: Date) -> Action {
        guard case .intending(let submission) = state else { return finish() }
        if let other { return read(other, at: now) }
        guard mayPost else {
            state = .withdrawing(submission, .stop)
            return .withdraw(submission)
        }
        state = .submitting(submission)
        return .post(submission)
    }

    /// - Parameter random: 0 to 1, 1 excluded.
    mutating func posted(_ outcome: SubmitOutcome, at now: Date, random: Double) -> Action {
        guard case .submitting(let submission) = state else { return finish() }
        switch outcome {
        case .started(let runID):
            state = .recording(submission)
            return .record(submission, runID: runID)
        case .inDoubt(let reason):
            return end(.submitUnknown(page: submission.pageNumber, reason), intentID: submission.intentID)
        case .refused(let reason):
            return end(
                ChainEnd(.pageError, "the request for page \(submission.pageNumber) was refused: \(reason)"),
                failedAttempts: submission.attempt)
        case .notSent(let time): state = .withdrawing(submission, .again(notBefore: time))
        case .throttled: state = .withdrawing(submission, .again(notBefore: nil))
        case .unavailable(let retryAfter):
            failures += 1
            let decision = retries.decision(
                after: .status(503), attempt: failures, retryAfter: retryAfter, random: random)
            switch decision {
            case .retry(let gap) where gap <= longestRetry:
                state = .withdrawing(submission, .again(notBefore: now + gap.seconds))
            case .retry, .giveUp:
                let left = ChainLeft(.unavailable, "the API was not available for page \(submission.pageNumber)")
                state = .withdrawing(submission, .leave(left))
            }
        case .stopped: state = .withdrawing(submission, .stop)
        }
        return .withdraw(submission)
    }

    mutating func withdrawn() -> Action {
        guard case .withdrawing(_, let withdrawal) = state else { return finish() }
        switch withdrawal {
        case .again(let time):
            state = .ready
            return .takeSlot(notBefore: time)
        case .leave(let left): return leave(left)
        case .stop: return finish()
        }
    }

    /// - Parameter chain: nil if the run is one that the chain has had already.
    mutating func recorded(_ chain: Chain?, at now: Date) -> Action {
        guard case .recording(let submission) = state else { return finish() }
        guard let chain else {
            // The run it started, if any, is unknown.
            return end(
                .submitUnknown(page: submission.pageNumber, "the API answered with a run of old"),
                intentID: submission.intentID)
        }
        return read(chain, at: now)
    }

    /// The page is stored, or was given up for this time: an answer that is not followed by a poll.
    mutating func stored(_ chain: Chain, outcome: Outcome, at now: Date) -> Action {
        if outcome == .failed, chain.end == nil, chain.pages == self.chain.pages {
            return leave(ChainLeft(.pageFailed, "page \(chain.pages) could not be fetched this time; see runs.failure"))
        }
        if chain.resumeAt != nil { throttled += 1 }
        return read(chain, at: now)
    }

    /// The export does not wait for what the chain waits for.
    mutating func notWaitedFor() -> Action {
        let page = "page \(chain.pages)"
        if let resumeAt = chain.resumeAt, state == .ready {
            return leave(
                ChainLeft(.throttled, "the partner's app throttled \(page), until \(resumeAt.formatted(.iso8601))"))
        }
        let reason = state == .polled ? "\(page) is not finished" : "another export is at \(page)"
        return leave(ChainLeft(.pageUnfinished, reason))
    }

    /// The API fails for every request for a page.
    mutating func unavailable() -> Action {
        leave(ChainLeft(.unavailable, "the API failed for one request for a page after the other"))
    }

    /// The chain in the database's present state.
    mutating func read(_ chain: Chain, at now: Date) -> Action {
        if chain.pages != self.chain.pages { (failures, throttled) = (0, 0) }
        self.chain = chain
        return decide(at: now)
    }

    // MARK: Decision

    /// What the chain, as it is stored, calls for.
    private mutating func decide(at now: Date) -> Action {
        state = .asked
        // A chain whose root is not stored has nothing to go on from.
        if chain.end != nil || chain.pages == 0 { return finish() }
        if let attempt = chain.attempt { return takeUp(attempt, at: now) }
        if let end = chain.naturalEnd { return self.end(end) }
        if let time = chain.restoredTo { return end(.lostToRestore(page: chain.pages, restoredTo: time)) }
        guard let inputsHash else {
            return leave(ChainLeft(.inputsMissing, "to go on, an export needs its manifest: inputs are stored nowhere"))
        }
        guard inputsHash == chain.inputsHash else {
            return leave(
                ChainLeft(.inputsDiffer, "the manifest's inputs are not those that the chain began with"))
        }
        guard let description else {
            state = .lookingUp
            return .lookUp
        }
        if case .refused(let reason) = PagingPermit(description, manifest: chain.actionType) {
            return end(ChainEnd(.refused, reason))
        }
        if throttled >= Self.throttledAttempts {
            return leave(ChainLeft(.throttled, "the partner's app throttled page \(chain.pages) \(throttled) times"))
        }
        state = .ready
        if let resumeAt = chain.resumeAt, resumeAt > now { return .suspend(until: resumeAt) }
        return .takeSlot(notBefore: nil)
    }

    /// Goes on with a request that is under way, this export's or another's.
    private mutating func takeUp(_ attempt: Chain.Attempt, at now: Date) -> Action {
        guard let runID = attempt.runID else {
            if attempt.isInFlight { return .lookAgain(at: now + Self.lookAgainGap.seconds) }
            return end(
                .submitUnknown(page: chain.pages, "the export ended before the answer was stored"),
                intentID: attempt.intentID)
        }
        state = .polled
        var item = RunItem(
            key: RunKey(storedActionID: chain.root.storedActionID, runID: runID),
            expiresAt: attempt.askedAt + retention.seconds, seenAlive: attempt.seenAlive)
        item.page = PageOfChain(root: chain.root, submittedAt: attempt.askedAt)
        return .fetch(item)
    }

    private mutating func end(_ end: ChainEnd, failedAttempts: Int? = nil, intentID: UUID? = nil) -> Action {
        state = .done
        return .end(end, failedAttempts: failedAttempts ?? chain.failedAttempts, intentID: intentID)
    }

    private mutating func leave(_ left: ChainLeft) -> Action {
        state = .done
        return .leave(left)
    }

    private mutating func finish() -> Action {
        state = .done
        return .finish
    }
}

extension ChainEnd {
    /// The page may have been asked for in the time that a restore of the database took from it.
    package static func lostToRestore(page: Int, restoredTo time: Date) -> ChainEnd {
        ChainEnd(
            .submitUnknown,
            "page \(page) may have been asked for after \(time.formatted(.iso8601)), the time that the database was "
                + "restored to")
    }

    fileprivate static func submitUnknown(page: Int, _ reason: String) -> ChainEnd {
        ChainEnd(.submitUnknown, "page \(page) was asked for, and may or may not have been started: \(reason)")
    }
}
