import ExportCore
import Foundation

/// What an export amounts to, as its opening, its work list and its rows say at its end.
struct ExportBalance: Sendable, Equatable {
    var items = 0
    var outcomes: [Outcome: Int] = [:]
    var alreadySettled = 0
    /// Rows that this export stored in `results`, by the counts of its items.
    var results = 0
    /// The items' chains of pages by their ends; nil: those that go on.
    var chains: [EndReason?: Int] = [:]
    /// Stored pages are left that `--refetch` was to fetch again.
    var hasPagesToRefetch = false
    /// Parts of answers that PostgreSQL refused in this export.
    var rejects = 0
    /// Whose runs these are is to be asked: the API has none of them.
    var isOfDoubtfulAccount = false

    init() {}

    /// - Parameters:
    ///   - items: of the manifests; nil: those that were opened.
    ///   - recorded: by outcome, the items that the export has asked for.
    init(items: Int?, found: ExportOpening.Found, recorded: [Outcome: Int], results: Int) {
        self.items = items ?? found.items
        alreadySettled = found.settledCount
        self.results = results
        outcomes = found.settled.merging(recorded, uniquingKeysWith: +)
        let queued = self.items - outcomes.values.reduce(0, +)
        if queued != 0 { outcomes[.queued, default: 0] += queued }
    }
}
