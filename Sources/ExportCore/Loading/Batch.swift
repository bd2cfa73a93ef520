import DequeModule
import Foundation

/// The answers that wait for their commit. Batches are committed one at a time; but where rows are what limits the
/// export, a second one goes beside the first, over a connection of its own.
struct Batch: Sendable {
    private struct Gathered {
        var run: FetchedRun
        var at: Date
    }

    /// Batches that may be committed at once.
    static let lanes = 2

    private let limits: BatchGate.Limits
    private var gate: BatchGate
    private var waiting: Deque<Gathered> = []
    private var committing = 0

    init(limits: BatchGate.Limits = BatchGate.Limits()) {
        self.limits = limits
        gate = BatchGate(limits: limits)
    }

    var isCommitting: Bool { committing > 0 }

    mutating func add(_ run: FetchedRun, at now: Date) {
        waiting.append(Gathered(run: run, at: now))
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

    /// Begins a commit: of the oldest answers, as many as fill a batch. Bodies keep their memory until they are committed, so
    /// that a batch of all that waits would leave none for those to come.
    mutating func take() -> [FetchedRun] {
        var taken: [FetchedRun] = []
        var size = BatchGate(limits: limits)
        while !size.isFull, let next = waiting.popFirst() {
            size.gathered(next.run, at: next.at)
            taken.append(next.run)
        }
        gate = BatchGate(limits: limits)
        for rest in waiting { gate.gathered(rest.run, at: rest.at) }
        committing += 1
        return taken
    }

    /// A commit has ended.
    mutating func ended() { committing -= 1 }
}
