import Foundation

/// One bucket's rate window as the API has it: it begins with the first request after the last one's end.
struct RateWindowModel {
    /// What one window saw.
    struct Count {
        var begin: Date
        var used = 0
        var refused = 0
        /// Requests whose end told nothing of the window.
        var blind = 0
        /// Exports that began while it was open, and so learned of it by their first request.
        var newcomers = 0
    }

    /// Requests that a window admits.
    let limit: Int
    let length: TimeInterval
    private(set) var end = Date.distantPast
    /// Of the window that is open, or was the last.
    private(set) var count = Count(begin: .distantPast)

    init(limit: Int, length: TimeInterval) {
        self.limit = limit
        self.length = length
    }

    var remaining: Int { max(0, limit - count.used) }

    /// A request arrives.
    ///
    /// - Returns: whether it is admitted, and the window that it brought to its end.
    mutating func admit(at now: Date) -> (isAdmitted: Bool, ended: Count?) {
        var ended: Count?
        if now >= end {
            ended = count
            end = now + length
            count = Count(begin: now)
        }
        count.used += 1
        guard count.used > limit else { return (true, ended) }
        count.refused += 1
        return (false, ended)
    }

    mutating func countBlind() { count.blind += 1 }

    mutating func newcomer(at now: Date) { if now < end { count.newcomers += 1 } }

    /// The most that exports of that share may make of a window without hearing of what others do.
    func allowance(share: Double) -> Int { max(1, limit - Int(((1 - share) * Double(limit) + 1e-6).rounded(.down))) }
}
