import Foundation

/// How many requests may leave for one bucket (reads, runs), learned from its answers alone.
///
///     closed ── its time has come, one request leaves ──▶ opening
///     opening ── the answer teaches ──▶ open
///     opening ── refused ──▶ closed
///     open ── the window's reset has passed, one request leaves ──▶ opening
///     open ── a 429, or spent with no reset known ──▶ closed
///
/// Every request asks `request(at:)` and ends in exactly one of `answered`, `lost` and `notSent`. Instants are those of
/// one steady wall clock; nothing about the length or size of windows is built in.
package struct RateBudget: Sendable, Equatable {
    package enum Admission: Equatable, Sendable {
        /// The request may leave now; its slot is taken.
        case go
        /// Nothing may leave before the instant, which is later than now. Ask again then, or when an answer has come.
        case wait(until: Date)
        /// Something in flight must come back first. Ask again when it has, or at `nextOpening` if that is earlier.
        case waitForAnswer
    }

    private enum Phase: Sendable, Equatable {
        /// Nothing leaves before the instant; then one request opens the bucket. `isGuess` when no answer named the
        /// instant, so that one that does may replace it.
        case closed(until: Date, isGuess: Bool)
        /// One request is out to learn what the bucket's window is. Requests sent earlier may be in flight too, so an
        /// answer is surely the opening request's only when nothing else is out.
        case opening(Opening)
        /// The window decides, or, without one, everything may leave: the token is exempt.
        case open
    }

    private struct Opening: Sendable, Equatable {
        let sentAt: Date
        /// The reset that the opening request waited for, if it did.
        let awaitedReset: Date?
        /// A 429 came back that may be the opening request's.
        var wasRefused = false
        /// What that 429 asked for.
        var refusedUntil: Date?
    }

    /// What an answer's headers meant for the window.
    private enum WindowChange {
        case nothing
        case older
        case same
        case renewed
    }

    package private(set) var inFlight = 0

    private let share: Double
    private var phase = Phase.closed(until: .distantPast, isGuess: true)
    private var window: RateWindow?
    private var heardLimit: Int?
    private var largestRemaining = 0
    /// Openings that were refused, or answered by the old window, in a row.
    private var failedOpenings = 0
    /// Freezes since an opening last worked.
    private var freezes = 0
    /// How long after a reset an opening turned out to be possible, seconds; kept for the bucket's life.
    private var learnedMargin: TimeInterval = 0
    /// After an opening that came too early: not before this.
    private var earliestOpening: Date?

    /// - Parameter share: the part of each window's limit to be spent, 0 < share ≤ 1; the rest is left to others. Each
    ///   window's opening request is sent whatever the share.
    package init(share: Double) {
        self.share = share.isNaN ? 1 : min(max(share, 0), 1)
    }

    package var limit: Int? { window?.limit }

    /// What is left of the window, less what is in flight.
    package var remaining: Int? { window.map { max(0, $0.left - inFlight) } }

    /// When the window ends, by the local clock.
    package var resetsAt: Date? { window?.resetsAt }

    /// When one request will be allowed even if nothing comes back before; nil if that depends on an answer.
    package var nextOpening: Date? {
        switch phase {
        case .closed(let until, _): until
        case .opening: nil
        case .open: opensAt
        }
    }

    /// Asks for a slot. `go` takes it: the request counts as in flight from now on.
    package mutating func request(at now: Date) -> Admission {
        switch phase {
        case .closed(let until, _):
            guard now >= until else { return .wait(until: until) }
            // Without resets an opening is judged by how remaining moves: stragglers would blur that.
            if let window, window.resetsAt == nil, inFlight > 0 { return .waitForAnswer }
            return open(at: now)
        case .opening:
            return .waitForAnswer
        case .open:
            guard let window else { return go() }
            let opensAt = opensAt
            if let opensAt, now >= opensAt { return open(at: now) }
            let spendable = window.spendable(share: share)
            if spendable > inFlight { return go() }
            if let opensAt, spendable <= 0 { return .wait(until: opensAt) }
            return .waitForAnswer
        }
    }

    /// The head of an answer, of any status, came back; its body says no more of the budget.
    package mutating func answered(_ headers: RateLimitHeaders, status: Int, at now: Date) {
        inFlight = max(0, inFlight - 1)
        // A 403 carries no word on the budget, and what looks like one is not to be trusted.
        let change = status == 403 ? learnNothing() : learn(headers, at: now)
        if status == 429 {
            refused(headers, change, at: now)
        } else {
            admitted(headers, change, status: status, at: now)
        }
        closeIfSpentWithoutReset(at: now)
    }

    /// The body of an answer turned out to quote a 429 of the API's own, behind a head that said otherwise.
    package mutating func wasThrottled(_ headers: RateLimitHeaders, at now: Date) {
        refused(headers, .nothing, at: now)
    }

    /// A request ended without an answer: the server may have counted it, and is assumed to have.
    package mutating func lost(at now: Date) {
        inFlight = max(0, inFlight - 1)
        _ = learnNothing()
        openAgainIfAlone(at: now)
        closeIfSpentWithoutReset(at: now)
    }

    /// A request that is still out has been sent again: the server may have counted it before, too.
    package mutating func resent(times: Int) {
        for _ in 0..<times { _ = learnNothing() }
    }

    /// A request surely never left: its slot is given back.
    package mutating func notSent(at now: Date) {
        inFlight = max(0, inFlight - 1)
        openAgainIfAlone(at: now)
    }
}

// MARK: Opening

extension RateBudget {
    private var opensAt: Date? {
        guard let window, let resetsAt = window.resetsAt else { return nil }
        let due = resetsAt.addingTimeInterval(max(window.margin, learnedMargin))
        return max(due, earliestOpening ?? due)
    }

    private mutating func go() -> Admission {
        inFlight += 1
        return .go
    }

    private mutating func open(at now: Date) -> Admission {
        let awaited = window?.resetsAt.flatMap { $0 <= now ? $0 : nil }
        phase = .opening(Opening(sentAt: now, awaitedReset: awaited))
        return go()
    }

    private mutating func opened(by opening: Opening) {
        if failedOpenings > 0, let reset = opening.awaitedReset, let window {
            let missing = opening.sentAt.timeIntervalSince(reset)
            learnedMargin = max(learnedMargin, min(missing, 1 + window.grain.inSeconds))
        }
        failedOpenings = 0
        freezes = 0
        earliestOpening = nil
        phase = .open
    }

    /// The opening request has taught nothing: another may go as soon as it wants to.
    private mutating func openAgainIfAlone(at now: Date) {
        guard case .opening(let opening) = phase, inFlight == 0 else { return }
        if opening.wasRefused {
            failed(opening, until: nil, at: now)
        } else {
            phase = .closed(until: now, isGuess: true)
        }
    }

    private mutating func failed(_ opening: Opening, until announced: Date?, at now: Date) {
        failedOpenings += 1
        raiseMargin(after: opening)
        freeze(until: [announced, opening.refusedUntil, opensAt].compactMap { $0 }.filter { $0 > now }.max(), at: now)
    }

    /// The opening request was answered by the window that should have ended.
    private mutating func cameTooEarly(_ opening: Opening, _ headers: RateLimitHeaders, at now: Date) {
        failedOpenings += 1
        raiseMargin(after: opening)
        let pause = max(doubling(from: 0.25, cap: 60, times: failedOpenings - 1), headers.resetsIn?.seconds ?? 0)
        earliestOpening = now.addingTimeInterval(pause)
        phase = .open
    }

    /// A reset in whole seconds explains an early opening by up to a second, which is then waited for always. What
    /// else was missing is known when an opening has worked.
    private mutating func raiseMargin(after opening: Opening) {
        guard opening.awaitedReset != nil, let window, window.grain == .wholeSeconds else { return }
        learnedMargin = max(learnedMargin, window.grain.inSeconds)
    }
}

// MARK: Answers

extension RateBudget {
    private mutating func learn(_ headers: RateLimitHeaders, at now: Date) -> WindowChange {
        if let limit = headers.limit, limit >= 0 { heardLimit = limit }
        largestRemaining = max(largestRemaining, headers.remaining ?? 0)
        let teaches = headers.remaining != nil || (headers.limit != nil && headers.resetsIn != nil)
        guard teaches else { return learnNothing() }
        let limit = heardLimit ?? largestRemaining
        guard var known = window else {
            window = RateWindow(headers, limit: limit, inFlight: inFlight, at: now)
            return .renewed
        }
        known.limit = limit
        var change = WindowChange.same
        switch known.relation(of: headers, at: now) {
        case .same:
            if known.resetsAt == nil, case .opening = phase, inFlight == 0 {
                change = known.hearAlone(headers) ? .renewed : .same
            } else {
                known.hear(headers, at: now)
            }
        case .older where known.olderInFlight > 0:
            known.passOlder()
            change = .older
        case .newer, .older:
            // An earlier reset in answer to a request sent since: the server has taken its word back.
            known = RateWindow(headers, limit: limit, inFlight: inFlight, at: now)
            change = .renewed
        }
        window = known
        return change
    }

    private mutating func learnNothing() -> WindowChange {
        window?.countUnheard(inFlight: inFlight)
        return .nothing
    }

    private mutating func admitted(_ headers: RateLimitHeaders, _ change: WindowChange, status: Int, at now: Date) {
        guard case .opening(let opening) = phase else { return }
        switch change {
        case .renewed:
            opened(by: opening)
        case .nothing where window == nil && inFlight == 0 && !opening.wasRefused && status != 403 && status < 500:
            // No rate headers: the token is exempt. A 5xx may come from a proxy, which sends none.
            opened(by: opening)
        case .nothing:
            openAgainIfAlone(at: now)
        case .older, .same:
            guard inFlight == 0, let window else { return }
            if opening.wasRefused {
                failed(opening, until: nil, at: now)
            } else if opening.awaitedReset != nil {
                cameTooEarly(opening, headers, at: now)
            } else if window.resetsAt == nil, window.spendable(share: share) <= 0 {
                failedOpenings += 1
                phase = .open
            } else {
                opened(by: opening)
            }
        }
    }

    private mutating func refused(_ headers: RateLimitHeaders, _ change: WindowChange, at now: Date) {
        let announced = announcedOpening(headers, at: now)
        switch phase {
        case .open:
            freeze(until: announced, at: now)
        case .closed(_, let isGuess):
            // The rest of a burst: it was sent before the first refusal came, and adds nothing to it.
            if isGuess, let announced { phase = .closed(until: announced, isGuess: false) }
        case .opening(let opening) where change == .renewed || inFlight == 0:
            if change == .renewed {
                freeze(until: announced, at: now)
            } else {
                failed(opening, until: announced, at: now)
            }
        case .opening(var opening):
            opening.wasRefused = true
            opening.refusedUntil = [announced, opening.refusedUntil].compactMap { $0 }.max()
            phase = .opening(opening)
        }
    }

    /// When a 429 lets the bucket open again: the later of `Retry-After` and reset, or else the reset heard before.
    private func announcedOpening(_ headers: RateLimitHeaders, at now: Date) -> Date? {
        let margin = max(window?.margin ?? 0, learnedMargin)
        let reset = headers.resetsIn.map { now.after($0).addingTimeInterval($0 > .zero ? margin : 0) }
        let known = headers.resetsIn == nil && headers.retryAfter == nil ? opensAt : nil
        return [headers.retryAfter.map(now.after), reset, known].compactMap { $0 }.filter { $0 > now }.max()
    }

    private mutating func freeze(until announced: Date?, at now: Date) {
        let guess = now.addingTimeInterval(doubling(from: 1, cap: 60, times: freezes))
        freezes += 1
        phase = .closed(until: announced ?? guess, isGuess: announced == nil)
    }

    /// A server that names no reset is asked by one request at a time, with growing gaps, whether its window has ended.
    private mutating func closeIfSpentWithoutReset(at now: Date) {
        guard case .open = phase, let window, window.resetsAt == nil, window.spendable(share: share) <= 0 else {
            return
        }
        let gap = doubling(from: 1, cap: 30, times: failedOpenings)
        phase = .closed(until: now.addingTimeInterval(gap), isGuess: true)
    }

    private func doubling(from first: TimeInterval, cap: TimeInterval, times: Int) -> TimeInterval {
        min(cap, first * Growth.power(of: 2, to: times))
    }
}
