import Foundation

/// What became of a run in the database.
package struct Commit: Sendable {
    package var item: RunItem
    /// As stored now: not always what the answer said.
    package var outcome: Outcome
    package var rule: MergeRule
    package var results: Int
    package var errors: Int
    /// Errors of the partner that share the run's last row.
    package var bundledErrors: Int
    /// Parts of the answer that PostgreSQL refused.
    package var rejects: Int
    package var pollAt: Date?
    /// Where its chain is now, if the run is of one.
    package var chain: Chain?
    /// The run is the page by which its chain has grown.
    package var isNewPage = false

    package init(
        item: RunItem, outcome: Outcome, rule: MergeRule, results: Int, errors: Int, bundledErrors: Int,
        rejects: Int, pollAt: Date? = nil, chain: Chain? = nil, isNewPage: Bool = false
    ) {
        self.item = item
        self.outcome = outcome
        self.rule = rule
        self.results = results
        self.errors = errors
        self.bundledErrors = bundledErrors
        self.rejects = rejects
        self.pollAt = pollAt
        self.chain = chain
        self.isNewPage = isNewPage
    }
}
