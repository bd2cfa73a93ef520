import Foundation

/// The answers that wait for their commit: one batch is committed at a time.
struct Batch: Sendable {
    private var gate = BatchGate()
    private var runs: [FetchedRun] = []
    private(set) var isCommitting = false

    mutating func add(_ run: FetchedRun, at now: Date) {
        runs.append(run)
        gate.gathered(run, at: now)
    }

    /// When the batch may be committed; nil while there is nothing to commit, or while another batch is.
    ///
    /// - Parameter expectsMore: an answer may come any moment.
    func opens(at now: Date, expectsMore: Bool) -> Date? {
        isCommitting ? nil : gate.opens(at: now, expectsMore: expectsMore)
    }

    /// Begins the commit.
    mutating func take() -> [FetchedRun] {
        defer { runs = [] }
        gate.opened()
        isCommitting = true
        return runs
    }

    /// The commit has ended.
    mutating func ended() { isCommitting = false }
}
