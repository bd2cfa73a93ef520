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
        var askers = Askers()
    }

    /// The exports at work.
    struct Askers {
        /// The largest part of a window that one of them may spend.
        var share = 0.0
        /// Requests that they may have in flight beside each other: none of them sees those of the others.
        var unseen = 0
    }

    /// Requests that a window admits.
    let limit: Int
    let length: TimeInterval
    private(set) var end = Date.distantPast
    /// Of the window that is open, or was the last.
    private(set) var count = Count(begin: .distantPast)
    private var askers = Askers()

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
            count = Count(begin: now, askers: askers)
        }
        count.used += 1
        guard count.used > limit else { return (true, ended) }
        count.refused += 1
        return (false, ended)
    }

    mutating func countBlind() { count.blind += 1 }

    /// An export begins.
    mutating func begins(at now: Date, share: Double, unseen: Int) {
        askers.share = max(askers.share, share)
        askers.unseen = max(askers.unseen, unseen)
        guard now < end else { return }
        count.newcomers += 1
        count.askers.share = max(count.askers.share, share)
        count.askers.unseen = max(count.askers.unseen, unseen)
    }

    /// All exports are over, and all that they sent has arrived.
    mutating func rest() { askers = Askers() }

    /// The most requests that the window could see: its exports' share of it, and what they cannot know.
    func allowance(_ count: Count) -> Int {
        let others = Int(((1 - count.askers.share) * Double(limit) + 1e-6).rounded(.down))
        return max(1, limit - others) + count.blind + count.newcomers + count.askers.unseen
    }
}
