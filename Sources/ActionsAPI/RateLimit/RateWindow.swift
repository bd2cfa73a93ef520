import Foundation

/// What is known of the one window that a bucket is in: its limit, what is left, and when it ends.
struct RateWindow: Sendable, Equatable {
    /// The window that an answer belongs to, by the reset that it names.
    enum Relation {
        case older
        case same
        case newer
    }

    var limit: Int
    /// When the window ends, by the local clock: the earliest of what its answers said. Each estimate is late by the
    /// answer's time of travel and by the grain of the server's `Date`, never early, so the earliest is the best.
    /// Nil when the server names no reset.
    private(set) var resetsAt: Date?
    let grain: RateLimitHeaders.Grain
    /// Requests in flight that were sent before the window was heard of: their answers may be of an older one.
    private(set) var olderInFlight: Int

    /// The lowest remaining heard: answers overtake each other, so a higher one is old, not new.
    private var heard: Int
    /// Requests that have ended since then without a `remaining`, and which the server may have counted.
    private var unheard = 0
    /// Answers that may still come from before the last unheard request ended. The one after them was sent later, so
    /// that request is in what it says.
    private var answersBeforeHeard = 0
    /// The reset by the clock that names the window: the server's own where possible.
    private var name: Date?
    /// Seconds to the reset when it was first heard: the window's length or less.
    private let span: TimeInterval

    /// - Parameter inFlight: without the request that `headers` answered.
    init(_ headers: RateLimitHeaders, limit: Int, inFlight: Int, at now: Date) {
        self.limit = limit
        heard = max(0, headers.remaining ?? limit - 1)
        resetsAt = headers.resetsIn.map(now.after)
        name = headers.resetInstant ?? resetsAt
        grain = headers.resetGrain
        span = headers.resetsIn?.seconds ?? 0
        olderInFlight = inFlight
    }

    /// What the server may still grant, requests in flight not yet taken off.
    var left: Int {
        max(0, heard - unheard)
    }

    /// What this program may still spend when `share` of the limit is its own; negative when others' part is touched.
    func spendable(share: Double) -> Int {
        let others = (1 - share) * Double(min(max(limit, 0), 1_000_000_000_000))
        // (1 − 0.8) · 600 is 119.99… in binary, and 120 left must not count as more than that.
        return left - Int((others + 1e-6).rounded(.down))
    }

    /// How long after `resetsAt` the next window is opened, seconds: the true edge may lie up to a second after a
    /// whole-second reset, yet a second is much in a window of three, so at first a twentieth of the window is given.
    var margin: TimeInterval {
        switch grain {
        case .wholeSeconds: min(1, max(span, grain.inSeconds) * 0.05)
        case .finer: grain.inSeconds
        }
    }

    func relation(of headers: RateLimitHeaders, at now: Date) -> Relation {
        guard let resetsIn = headers.resetsIn else { return .same }
        guard let name else { return .newer }
        let distance = (headers.resetInstant ?? now.after(resetsIn)).timeIntervalSince(name)
        // Servers that add the rest of the window to their clock name one reset a little differently each time, and
        // seconds from now are late by the answer's time of travel; the next reset is a whole window away.
        let blur = headers.resetInstant == nil ? 30 : 1.5
        let tolerance = min(blur, max(span, grain.inSeconds) / 2)
        return distance > tolerance ? .newer : distance < -tolerance ? .older : .same
    }

    /// An answer of this window.
    mutating func hear(_ headers: RateLimitHeaders, at now: Date) {
        if let resetsIn = headers.resetsIn, let known = resetsAt {
            resetsAt = min(known, now.after(resetsIn))
        }
        if let other = headers.resetInstant, let known = name {
            name = min(known, other)
        }
        guard let remaining = headers.remaining else {
            heard = max(0, heard - 1)
            return
        }
        heard = min(heard, max(0, remaining))
        guard unheard > 0 else { return }
        if answersBeforeHeard > 0 {
            answersBeforeHeard -= 1
        } else {
            unheard = 0
        }
    }

    /// The answer to a request beside which none was in flight: its remaining is the newest, whichever way it went.
    /// - Returns: whether remaining did not fall although this request was spent: the window before has ended.
    mutating func hearAlone(_ headers: RateLimitHeaders) -> Bool {
        guard let remaining = headers.remaining else {
            heard = max(0, heard - 1)
            return false
        }
        let renewed = remaining >= left
        heard = max(0, remaining)
        unheard = 0
        return renewed
    }

    /// A request ended without a `remaining`: it counts as used until a later answer says otherwise.
    /// - Parameter inFlight: without that request.
    mutating func countUnheard(inFlight: Int) {
        unheard += 1
        answersBeforeHeard = inFlight
    }

    /// One answer of an older window came back.
    mutating func passOlder() {
        olderInFlight = max(0, olderInFlight - 1)
    }
}

extension RateLimitHeaders.Grain {
    /// By how much the true reset may lie after the one named; a little for clocks and timers where nothing is cut off.
    var inSeconds: TimeInterval {
        switch self {
        case .wholeSeconds: 1
        case .finer: 0.02
        }
    }
}
