import Foundation
import HeapModule

/// An item and when its turn comes.
struct Due: Comparable, Sendable {
    var at: Date
    var item: RunItem

    static func < (a: Due, b: Due) -> Bool { a.at < b.at }
    static func == (a: Due, b: Due) -> Bool { a.at == b.at && a.item == b.item }
}

/// An item by its expiry.
struct Expiring: Comparable, Sendable {
    var item: RunItem

    static func < (a: Expiring, b: Expiring) -> Bool { a.item.expiresAt < b.item.expiresAt }
}

/// The parts of an export's work list, which the scheduler takes a batch at a time.
package enum WorkQueue: Hashable, Sendable, CaseIterable {
    /// Runs not asked for yet whose result has not expired, the earliest expiry first.
    case first
    /// Runs not asked for yet that are past their time.
    case late
    /// Runs that were under way when an export died, the one last that was asked for last.
    case suspects
    /// Runs that were found unfinished, the earliest poll first.
    case polls
    /// Chains of pages that go on, the oldest cursor first.
    case chains
    /// Stored pages that are to be fetched again.
    case storedPages
}

/// What a step of opening an export has added to its work list. An export of many runs is opened in steps, each of
/// which is committed, and requests begin with the first.
package struct OpenedStep: Sendable, Equatable {
    /// The queues that got items.
    package var filled: Set<WorkQueue>
    /// No further step follows.
    package var isLast: Bool

    package init(filled: Set<WorkQueue>, isLast: Bool) {
        self.filled = filled
        self.isLast = isLast
    }
}

/// A poll and when it is due.
package typealias PollDue = (item: RunItem, at: Date)
