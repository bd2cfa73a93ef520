import ActionsAPI
import Foundation

/// The traffic with the API: whether a request may leave, by the rate window of its bucket and by the API's health, and
/// what every reply shows about both, whatever was asked for.
struct Exchange: Sendable {
    /// What is left of a reply once the budget, the API's health, the tally and the journal have heard it.
    enum Heard<Answer> {
        case answered(Answer, ReplyDetails)
        case unanswered(TransportError)
        /// No connection was made: the request is to be made again then.
        case again(at: Date)
        /// Nothing can be asked for any more.
        case over(Ending)
        case cancelled(mayHaveLeft: Bool)
    }

    /// When a reply is heard.
    struct Moment {
        /// When the reply came.
        var time: Date
        var now: Date
        /// Requests that are still out.
        var inFlight: Int
        /// 0 to 1, 1 excluded.
        var chance: Double
    }

    enum Admission: Equatable {
        case go
        /// Not before then; nil: not before another request has come back. `isWindow`: the rate window alone is why.
        case wait(until: Date?, isWindow: Bool)
    }

    private var reads: RateBudget
    private var runs: RateBudget
    private(set) var health: APIHealth
    private(set) var tally = Tally()
    private var journal = Journal()
    private var flight = RequestsInFlight()
    private var hasAsked = false
    private let random: @Sendable () -> Double

    /// - Parameter random: 0 to 1, 1 excluded.
    init(budgetShare: Double, longestGap: Duration, random: @escaping @Sendable () -> Double) {
        self.random = random
        reads = RateBudget(share: budgetShare)
        runs = RateBudget(share: budgetShare)
        health = APIHealth(longestGap: longestGap)
    }

    var readBudget: RateBudget { reads }

    /// - Parameter time: when the reply came.
    func moment(_ time: Date, inFlight: Int, at now: Date) -> Moment {
        Moment(time: time, now: now, inFlight: inFlight, chance: random())
    }

    // MARK: Log and tally

    mutating func note(_ severity: ExportMachine.Severity, _ text: String) { journal.note(severity, text) }

    mutating func takeLines() -> [(severity: ExportMachine.Severity, text: String)] { journal.takeLines() }

    /// What lasts until the export looks again; see `Journal.waits`.
    ///
    /// - Returns: when a silence is to be noted, if nothing is heard before.
    mutating func waits(for windows: [Bucket: Date], inFlight: Int, until time: Date?, at now: Date) -> Date? {
        journal.waits(for: windows, inFlight: inFlight, until: time, at: now)
        return journal.silenceAt
    }

    /// A request was made for a token.
    mutating func tokenRequested(status: Int?) { tally.request(status: status) }

    mutating func committed(_ commit: Commit) { tally.committed(commit) }

    mutating func waitedForBudget(_ time: TimeInterval) { tally.waitedForBudget += .seconds(time) }

    // MARK: Sending

    /// Takes a slot of the bucket if a request may leave now.
    mutating func admit(_ bucket: Bucket, inFlight: Int, pagesInFlight: Int, at now: Date) -> Admission {
        switch health.admit(bucket, inFlight: inFlight, pagesInFlight: pagesInFlight, at: now) {
        case .closed(let time): return .wait(until: time, isWindow: false)
        case .open: break
        }
        switch settle(bucket, { $0.request(at: now) }) {
        case .go: return .go
        case .wait(let time): return .wait(until: time, isWindow: true)
        // An answer that does not come must not hold up the next window.
        case .waitForAnswer: return .wait(until: nextOpening(bucket), isWindow: false)
        }
    }

    /// A request leaves, or will once its intent is written.
    mutating func asked(_ id: RequestID, at now: Date) {
        hasAsked = true
        flight.begins(id)
        journal.asked(id.bucket, at: now)
    }

    func isOut(_ id: RequestID) -> Bool { flight.isOut(id) }

    /// Nothing was sent after all: its slot is free.
    mutating func giveBackSlot(_ id: RequestID, at now: Date) {
        flight.ends(id)
        settle(id.bucket) { $0.notSent(at: now) }
    }

    /// When the bucket opens again, as far as that is known.
    private func nextOpening(_ bucket: Bucket) -> Date? { bucket == .reads ? reads.nextOpening : runs.nextOpening }

    /// Updates a bucket's budget with the outcome of a request.
    @discardableResult
    mutating func settle<R>(_ bucket: Bucket, _ change: (inout RateBudget) -> R) -> R {
        bucket == .reads ? change(&reads) : change(&runs)
    }

    // MARK: Hearing

    /// The API answers: the budget need not wait for a body that may take long.
    ///
    /// - Parameter inFlight: requests, this one included.
    mutating func headArrived(_ id: RequestID, _ head: ReplyHead, inFlight: Int, at now: Date) {
        // That of a request that was cut short meanwhile has been counted as lost.
        guard flight.isOut(id) else { return }
        flight.headArrived(id)
        answered(inFlight: inFlight, at: now)
        journal.compareClocks(head.headers.date, at: head.at)
        settle(id.bucket) { $0.answered(head.headers, status: head.status, at: head.at) }
        journal.answered(head.status, of: id.bucket, opening: nextOpening(id.bucket), at: head.at)
    }

    /// - Parameter isThrottled: whether an answer is throttled although its head says otherwise.
    mutating func heard<Answer>(
        _ reply: Reply<Answer>, to id: RequestID, _ moment: Moment, isThrottled: (Answer) -> Bool = { _ in false }
    ) -> Heard<Answer> {
        let (time, now, inFlight) = (moment.time, moment.now, moment.inFlight)
        let hasHead = flight.hasHead(id)
        defer { flight.ends(id) }
        switch reply {
        case .cancelled(let mayHaveLeft):
            if mayHaveLeft { tally.request(status: nil) }
            if !hasHead { settle(id.bucket) { mayHaveLeft ? $0.lost(at: time) : $0.notSent(at: time) } }
            return .cancelled(mayHaveLeft: mayHaveLeft)
        case .noToken(let error):
            settle(id.bucket) { $0.notSent(at: time) }
            return .over(Ending(error))
        case .failed(let error) where error.kind == .notConnected:
            countResent(error.resent)
            settle(id.bucket) { $0.notSent(at: time) }
            journal.notConnected(error.reason, at: time)
            switch health.notConnected(error.reason, at: time, random: moment.chance) {
            case .probe(let time): return .again(at: time)
            case .giveUp: return .over(.apiUnreachable(.failed(error.reason)))
            }
        case .failed(let error):
            tally.request(status: nil)
            countResent(error.resent)
            if !hasHead { settle(id.bucket) { $0.lost(at: time) } }
            if error.answerBegan { answered(inFlight: inFlight, at: now) }
            return .unanswered(error)
        case .answered(let answer, let details):
            let head = details.head
            tally.request(status: head.status)
            countResent(details.resent)
            if hasHead {
                answered(inFlight: inFlight, at: now)
            } else {
                headArrived(id, head, inFlight: inFlight, at: now)
            }
            if isThrottled(answer), head.status != 429 {
                settle(id.bucket) { $0.wasThrottled(head.headers, at: time) }
                journal.answered(429, of: id.bucket, opening: nextOpening(id.bucket), at: time)
            }
            return .answered(answer, details)
        }
    }

    private mutating func answered(inFlight: Int, at now: Date) {
        tally.answeredAt = now
        journal.answered(inFlight: inFlight, at: now)
        health.answered()
    }

    /// What a reply, or its absence, says about the API's health.
    ///
    /// - Parameter random: 0 to 1, 1 excluded.
    mutating func heard(
        _ report: HealthReport, of request: APIHealth.Request, retryAfter: Duration?, at time: Date, random: Double
    ) -> APIHealth.Decision {
        let decision = health.heard(report, of: request, retryAfter: retryAfter, at: time, random: random)
        journal.heard(report, of: request, decision, at: time)
        return decision
    }

    /// Reads that left before on connections that failed under them: no try is used up, but each took a slot.
    private mutating func countResent(_ times: Int) {
        for _ in 0..<times { tally.request(status: nil) }
        reads.resent(times: times)
    }

    // MARK: Runs whose answers may be the API's fault

    /// See `APIHealth.judge`.
    mutating func judge(_ step: RunStep, _ run: FetchedRun) -> CredentialsWatch.Decision {
        health.judge(step, run)
    }

    mutating func count(_ step: RunStep, status: Int, isPastTime: Bool) {
        tally.answered(step, status: status, isPastTime: isPastTime)
    }

    mutating func pause(until time: Date) { health.pause(until: time) }

    // MARK: The end

    /// Why an export that ends without an answer of use got none; nil if it got one, or asked for nothing.
    var silence: Ending.Silence? {
        if health.hasSeenOnlyPages { return .blocked(status: nil) }
        guard hasAsked, !health.hasAnswered else { return nil }
        return health.noConnection.map { .failed($0) } ?? .unanswered
    }
}

/// Which requests are out, and of which an answer has begun.
private struct RequestsInFlight: Sendable {
    /// A run may be asked for twice at once: as an item of a manifest, and as a page of a chain.
    private var counts: [RequestID: (out: Int, heads: Int)] = [:]

    func isOut(_ id: RequestID) -> Bool { counts[id] != nil }

    func hasHead(_ id: RequestID) -> Bool { counts[id].map { $0.heads > 0 } ?? false }

    mutating func begins(_ id: RequestID) { counts[id, default: (0, 0)].out += 1 }

    mutating func headArrived(_ id: RequestID) { counts[id]?.heads += 1 }

    mutating func ends(_ id: RequestID) {
        guard let count = counts[id] else { return }
        counts[id] = count.out > 1 ? (count.out - 1, max(0, count.heads - 1)) : nil
    }
}

extension Ending {
    /// Without a token nothing can be asked for any more.
    fileprivate init(_ error: TokenError) {
        self =
            switch error.kind {
            case .refused: .credentialsRefused(error.reason)
            case .invalidSetting: .invalidSetting(error.reason)
            case .unreachable: .apiUnreachable(.failed(error.reason))
            }
    }
}
