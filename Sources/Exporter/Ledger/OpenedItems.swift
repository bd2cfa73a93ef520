import ExportCore
import Foundation

/// What one step of opening an export has found: what it has to ask for, by queue, and counts of the rest.
struct OpenedItems: Sendable {
    /// Runs that are settled, by their outcomes.
    private(set) var settled: [Outcome: Int] = [:]
    private(set) var unsettledCount = 0
    /// Chains that have ended, and that nothing in this export lets go on.
    private(set) var endedChains: [EndReason: Int] = [:]
    /// The roots of all others.
    private(set) var chainRoots: [RunKey] = []
    private(set) var entries: [WorkQueue: [WorkEntry]] = [:]

    /// - Parameter outcomes: of runs that need no asking.
    mutating func add(settled outcomes: [Outcome: Int]) { settled.merge(outcomes, uniquingKeysWith: +) }

    /// A run to ask for.
    ///
    /// - Parameters:
    ///   - checkedAt: of a suspect: when it was last asked for; nil if it never was.
    ///   - now: what has expired by then goes last.
    mutating func add(_ item: RunItem, checkedAt: Date? = nil, at now: Date) {
        unsettledCount += 1
        if item.followsPages { chainRoots.append(item.key) }
        if item.isSuspect {
            add(WorkEntry(rank: checkedAt ?? .distantPast, item: item), to: .suspects)
        } else {
            add(WorkEntry(rank: item.expiresAt, item: item), to: item.expiresAt > now ? .first : .late)
        }
    }

    /// The chain of a root.
    ///
    /// - Parameters:
    ///   - isRootSettled: this export does not ask for the root; otherwise it was added as an item.
    ///   - position: where the manifest has its inputs; nil without one.
    mutating func add(_ chain: ChainOpening.State, isRootSettled: Bool, manifestPosition position: Int?) {
        if chain.isOpen {
            var item = RunItem(key: chain.root, expiresAt: .distantFuture)
            item.manifestPosition = position
            add(WorkEntry(rank: chain.advancedAt, item: item), to: .chains)
        }
        guard isRootSettled else { return }
        if chain.hasEnded, let end = chain.end {
            endedChains[end, default: 0] += 1
        } else {
            chainRoots.append(chain.root)
        }
    }

    /// Those of the runs to ask for.
    var storedActions: [UUID] { Set(entries.values.joined().map(\.item.key.storedActionID)).sorted() }

    private mutating func add(_ entry: WorkEntry, to queue: WorkQueue) { entries[queue, default: []].append(entry) }
}
