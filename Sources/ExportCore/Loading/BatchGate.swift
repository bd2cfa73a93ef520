import Foundation

/// When the gathered answers go to the database: by bytes, rows and time, and at once when no other answer is expected
/// or a chain of pages waits for it.
struct BatchGate: Sendable {
    struct Limits: Sendable {
        var bytes = 4 << 20
        var rows = 10_000
        /// Of the oldest answer. Every answer is to be committed within a second of its arrival.
        var age: Duration = .milliseconds(200)
    }

    let limits: Limits
    private var bytes = 0
    private var rows = 0
    private var oldest: Date?
    private var isUrgent = false

    init(limits: Limits = Limits()) { self.limits = limits }

    mutating func gathered(_ run: FetchedRun, at now: Date) {
        bytes += run.bytes
        rows += run.rows
        oldest = oldest ?? now
        if run.item.chainRoot != nil { isUrgent = true }
    }

    /// What is gathered is as much as a batch should hold.
    var isFull: Bool { bytes >= limits.bytes || rows >= limits.rows }

    /// - Parameter expectsMore: an answer may come any moment.
    /// - Returns: nil while nothing is gathered; an instant that is not after `now` means at once.
    func opens(at now: Date, expectsMore: Bool) -> Date? {
        guard let oldest else { return nil }
        guard expectsMore, !isUrgent, !isFull else { return now }
        return oldest + limits.age.seconds
    }
}
