import Foundation

/// What an operator looks for in the log: states that last. Each is logged once when it begins and once when it ends,
/// however many requests meet it.
struct Incidents: Sendable {
    enum Kind: Hashable, Sendable {
        /// No connection to the API can be made.
        case noConnection
        /// The API has been asked, and has said nothing for a while.
        case silence
        /// The API fails for all requests: they are sent one at a time.
        case failingAPI
        /// The same of requests for pages.
        case failingPages
        /// The API has answered 429.
        case rateLimit(Bucket)
        /// Requests wait for the next rate window.
        case window(Bucket)
        /// Every run that is left has to wait, as a rule because the API asked for it (`Retry-After`).
        case wait
    }

    /// Shorter waits for a window are not worth a line.
    static let shortestWait: TimeInterval = 1
    /// The longest that the export itself waits before it asks again for an unfinished run, with a margin. What is
    /// longer needs a line.
    static let ordinaryWait: TimeInterval = 90
    /// How long nothing may be heard while something is asked.
    static let silence: TimeInterval = 15

    private var begins: [Kind: Date] = [:]
    /// Since when something has been asked and nothing been heard; nil while nothing is asked.
    private var quietSince: Date?

    /// - Returns: whether this is news.
    mutating func begin(_ kind: Kind, at now: Date) -> Bool {
        guard begins[kind] == nil else { return false }
        begins[kind] = now
        return true
    }

    /// - Returns: how long it lasted, if it had begun.
    mutating func end(_ kind: Kind, at now: Date) -> TimeInterval? {
        begins.removeValue(forKey: kind).map { now.timeIntervalSince($0) }
    }

    func isOn(_ kind: Kind) -> Bool { begins[kind] != nil }

    /// Nothing is under way, and nothing is due before `time`.
    ///
    /// - Returns: whether this is news: a long wait that nothing else in the log explains.
    mutating func beginWait(until time: Date, at now: Date) -> Bool {
        guard begins.isEmpty, time != .distantFuture, time.timeIntervalSince(now) >= Self.ordinaryWait else {
            return false
        }
        return begin(.wait, at: now)
    }

    // MARK: Silence

    mutating func asked(at now: Date) { quietSince = quietSince ?? now }

    /// No request is in flight.
    mutating func idle() { quietSince = nil }

    /// - Parameter inFlight: requests that are still out.
    mutating func heard(inFlight: Int, at now: Date) { quietSince = inFlight > 0 ? now : nil }

    /// When silence is logged if nothing is heard; nil if it has been logged, or if no request is out.
    var silenceAt: Date? {
        isOn(.silence) || isOn(.noConnection) ? nil : quietSince.map { $0 + Self.silence }
    }
}
