import Foundation

/// The answers that wait for their commit. Batches are committed one at a time; but where rows are what limits the
/// export, a second one goes beside the first, over a connection of its own.
struct Batch: Sendable {
    /// Batches that may be committed at once.
    static let lanes = 2

    private var gate = BatchGate()
    private var runs: [FetchedRun] = []
    private var committing = 0

    var isCommitting: Bool { committing > 0 }

    mutating func add(_ run: FetchedRun, at now: Date) {
        runs.append(run)
        gate.gathered(run, at: now)
    }

    /// When the batch may be committed; nil while there is nothing to commit, or while other batches are.
    ///
    /// - Parameter expectsMore: an answer may come any moment.
    func opens(at now: Date, expectsMore: Bool) -> Date? {
        switch committing {
        case 0: gate.opens(at: now, expectsMore: expectsMore)
        case ..<Self.lanes: gate.isFull ? now : nil
        default: nil
        }
    }

    /// Begins the commit.
    mutating func take() -> [FetchedRun] {
        defer { runs = [] }
        gate.opened()
        committing += 1
        return runs
    }

    /// A commit has ended.
    mutating func ended() { committing -= 1 }
}
