import Foundation

/// All that changes while the server runs.
actor SandboxState {
    /// What the gate made of a request.
    struct Arrival: Sendable {
        let settings: Settings
        /// nil when no rate-limit headers go out.
        let rate: RateWindow.Reading?
        /// The answer, when the request did not get through.
        let refusal: Answer?
        /// The number of this read among those of its run, or look-up among those of its action, that got through,
        /// from 1.
        let attempt: Int
        /// The number of this request among those to its path, from 1.
        let request: Int
    }

    private let original: Settings
    private(set) var settings: Settings
    private var tally = Tally()
    private var tokens: TokenLedger
    private var reads: RateWindow
    private var runs: RateWindow

    init(_ settings: Settings) {
        original = settings
        self.settings = settings
        tokens = TokenLedger(settings)
        reads = RateWindow(limit: settings.limit, length: settings.window)
        runs = RateWindow(limit: settings.runLimit, length: settings.window)
    }

    /// Counts a request and lets it through, or not.
    func arrive(_ route: Route, method: String, path: String, token: String?, at now: Date) -> Arrival {
        tally.arrived(route, method: method, path: path)
        let (rate, refusal) = gate(route, token: token, at: now)
        return Arrival(
            settings: settings,
            rate: rate,
            refusal: refusal,
            attempt: refusal == nil ? tally.attempt(at: route) : 0,
            request: tally.requests(to: route, method: method, path: path)
        )
    }

    /// A request's answer is on its way, or its connection is gone (`status` nil).
    func leave(status: Int?, final key: Tally.RunKey? = nil) {
        tally.left(status: status, final: key)
    }

    func submitted(_ request: SubmissionLedger.Request) -> SubmissionLedger.Outcome {
        tally.submissions.submitted(request)
    }

    func refused(_ request: SubmissionLedger.Request) { tally.submissions.refused(request) }

    func issueToken(
        form: [String: String], basic: (id: String, secret: String)?, at now: Date
    ) -> Result<TokenLedger.Grant, TokenLedger.Refusal> {
        do throws(TokenLedger.Refusal) {
            return .success(try tokens.issue(form: form, basic: basic, at: now))
        } catch {
            return .failure(error)
        }
    }

    /// Everything as it was at the start: counts, windows, tokens, settings.
    func reset() {
        tally = Tally(continuing: tally)
        tokens = TokenLedger(original)
        change(to: original)
        reads = RateWindow(limit: settings.limit, length: settings.window)
        runs = RateWindow(limit: settings.runLimit, length: settings.window)
    }

    func change(_ body: [UInt8]) throws(SettingsChange.Refusal) {
        change(to: try SettingsChange.applied(body, to: settings))
    }

    /// A window that is open goes on with its new limit and length.
    private func change(to new: Settings) {
        settings = new
        reads.limit = new.limit
        runs.limit = new.runLimit
        reads.length = new.window
        runs.length = new.window
    }

    var stats: JSON { tally.stats }
    var requests: JSON { tally.requestsByPath }
    var finals: JSON { tally.finalsByRun }
    var submissions: JSON { tally.submissions.json }

    private func gate(_ route: Route, token: String?, at now: Date) -> (RateWindow.Reading?, Answer?) {
        if settings.isDown {
            return (look(route, at: now), APIError.serviceUnavailable.answer.retryable(after: 1))
        }
        guard route.bucket != nil else { return (nil, nil) }
        guard let token, tokens.accepts(token, at: now) else {
            tally.wasUnauthorized()
            return (look(route, at: now), APIError.authenticationFailed(status: settings.rejectWith).answer)
        }
        if settings.forbidsEverything { return (nil, APIError.permissionDenied.answer) }
        let rate = take(route, at: now)
        if let rate, !rate.isAllowed {
            tally.wasRateLimited()
            var refusal = APIError.tooManyRequests.answer
            refusal.retryAfter = max(1, Int(rate.resetsAt.timeIntervalSince(now).rounded(.up)))
            return (rate, refusal)
        }
        if settings.losesEverything { return (rate, APIError.notFound(pointer: "/").answer) }
        return (rate, nil)
    }

    private func take(_ route: Route, at now: Date) -> RateWindow.Reading? {
        switch route.bucket {
        case .reads: reads.take(at: now)
        case .runs: runs.take(at: now)
        case nil: nil
        }
    }

    private func look(_ route: Route, at now: Date) -> RateWindow.Reading? {
        switch route.bucket {
        case .reads: reads.look(at: now)
        case .runs: runs.look(at: now)
        case nil: nil
        }
    }
}
