import ExportCore
import Foundation
import Synchronization

/// How far an export is, for display.
package struct ExportProgress: Sendable, Equatable {
    /// Nil before the export is written down.
    package var exportID: Int?
    var manifests: [String] = []
    var account: ZapierAccount?
    package var items = 0
    /// Of the items, those that earlier exports had settled.
    package var alreadySettled = 0
    /// Of the items, those that need no further asking by this export.
    package var done = 0
    /// Pages behind their roots, stored so far.
    package var pages = 0
    package var rateLimited = 0
    /// Of the window of reads: nil while not known.
    package var budgetLimit: Int?
    package var budgetRemaining: Int?
    package var budgetResetsAt: Date?
    package var startedAt: Date?
    var tally = Tally()
    /// What these times are read by; nil before the start.
    package var clock: SteadyClock?

    package init() {}

    /// Items a second since the start, of those that this export asked for.
    package func rate(at now: Date) -> Double? {
        guard let startedAt, now > startedAt, done > alreadySettled else { return nil }
        return Double(done - alreadySettled) / now.timeIntervalSince(startedAt)
    }

    mutating func update(from machine: ExportMachine) {
        let (tally, budget) = (machine.tally, machine.readBudget)
        done = alreadySettled + tally.done
        pages = tally.pages
        self.tally = tally
        rateLimited = tally.rateLimited
        budgetLimit = budget.limit
        budgetRemaining = budget.remaining
        budgetResetsAt = budget.resetsAt
    }

    /// What an export that cannot go on has done; nil before it is written down. Without outcomes: nothing has counted
    /// them yet.
    package func summary(_ end: ExportEnd) -> Summary? {
        guard let exportID else { return nil }
        var summary = Summary(manifests: manifests, end: end)
        summary.exportID = exportID
        summary.account = account?.name
        summary.runs.items = items
        summary.runs.alreadySettled = alreadySettled
        summary.add(tally)
        return summary
    }

    /// At the present rate; nil while there is none.
    package func timeLeft(at now: Date) -> Duration? {
        guard let rate = rate(at: now), rate > 0, done < items else { return nil }
        return .seconds(Double(items - done) / rate)
    }
}

/// Where the export writes its progress and the display reads it.
package final class ProgressBoard: Sendable {
    private let progress = Mutex(ExportProgress())

    package init() {}

    package var current: ExportProgress { progress.withLock { $0 } }

    func update(_ change: (inout ExportProgress) -> Void) { progress.withLock { change(&$0) } }
}
