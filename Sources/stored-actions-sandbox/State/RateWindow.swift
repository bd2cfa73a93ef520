import Foundation

/// A fixed window of one bucket: it opens with the first request after the last one ended, and lets `limit` requests
/// through until it ends.
struct RateWindow: Equatable, Sendable {
    struct Reading: Equatable, Sendable {
        let isAllowed: Bool
        let limit: Int
        let remaining: Int
        /// When the window ends; for one that has not opened, when it would end if it did now.
        let resetsAt: Date
    }

    /// Requests per window; 0 exempts the bucket.
    var limit: Int
    /// Seconds.
    var length: TimeInterval
    private var openedAt: Date?
    private var used = 0

    init(limit: Int, length: TimeInterval) {
        self.limit = limit
        self.length = length
    }

    /// Counts a request; nil when the bucket is exempt. A refused request uses nothing up.
    mutating func take(at now: Date) -> Reading? {
        guard limit > 0 else { return nil }
        if !isOpen(at: now) {
            openedAt = now
            used = 0
        }
        let isAllowed = used < limit
        if isAllowed { used += 1 }
        return reading(isAllowed: isAllowed, at: now)
    }

    /// The present state, without counting a request.
    func look(at now: Date) -> Reading? {
        limit > 0 ? reading(isAllowed: true, at: now) : nil
    }

    private func reading(isAllowed: Bool, at now: Date) -> Reading {
        let opened = isOpen(at: now) ? openedAt : nil
        return Reading(
            isAllowed: isAllowed,
            limit: limit,
            remaining: opened == nil ? limit : max(limit - used, 0),
            resetsAt: (opened ?? now).addingTimeInterval(length)
        )
    }

    private func isOpen(at now: Date) -> Bool {
        guard let openedAt else { return false }
        return now >= openedAt && now < openedAt.addingTimeInterval(length)
    }
}
