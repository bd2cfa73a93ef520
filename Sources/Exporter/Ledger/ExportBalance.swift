import ExportCore

/// What the ledger says of the export's items.
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
}
