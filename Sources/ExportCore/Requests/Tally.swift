import ActionsAPI
import Foundation

/// What an export has done so far.
package struct Tally: Sendable, Equatable {
    package var requests = 0
    /// By HTTP status; nil for requests without an answer.
    package var byStatus: [Int?: Int] = [:]
    /// Answers about runs that are not past their time: those by which the API showed whether it has the run.
    var aboutYoungRuns = 0
    /// Of those, 404.
    var youngRunsNotFound = 0
    /// Rows that this export stored.
    package var results = 0
    package var errors = 0
    /// Errors of partners that share the last row of their run.
    package var bundledErrors = 0
    /// Parts of answers that PostgreSQL refused.
    package var rejects = 0
    /// Of the results, those of its items: not of the pages behind them.
    package var itemResults = 0
    /// Pages by which chains have grown.
    package var pages = 0
    /// Runs that this export is done with: their outcome is final, or their tries are used up.
    package var done = 0
    /// Runs that were asked for again and gave no result: what was stored stayed.
    package var kept = 0
    package var waitedForBudget: Duration = .zero

    package init() {}

    var answers: Int { requests - (byStatus[nil] ?? 0) }
    package var rateLimited: Int { byStatus[429] ?? 0 }
    /// When the API last answered.
    var answeredAt: Date?

    package var requestCount: RequestCount {
        RequestCount(total: requests, rateLimited: rateLimited, answeredAt: answeredAt)
    }

    mutating func request(status: Int?) {
        requests += 1
        byStatus[status, default: 0] += 1
    }

    /// - Parameter isPastTime: the API's retention of the run is over.
    mutating func answered(_ step: RunStep, status: Int, isPastTime: Bool) {
        guard !isPastTime, step.isAboutRun else { return }
        aboutYoungRuns += 1
        if status == 404 { youngRunsNotFound += 1 }
    }

    /// The API has none of the runs that it should still have.
    package var isOnlyNotFound: Bool { aboutYoungRuns > 0 && youngRunsNotFound == aboutYoungRuns }

    /// Of so many runs not one: account and API may be the wrong ones.
    package var isOfDoubtfulAccount: Bool { isOnlyNotFound && aboutYoungRuns >= 20 }

    mutating func committed(_ commit: Commit) {
        results += commit.results
        errors += commit.errors
        bundledErrors += commit.bundledErrors
        rejects += commit.rejects
        if commit.item.page == nil {
            itemResults += commit.results
            if commit.outcome.isFinal || commit.outcome == .failed { done += 1 }
        } else if commit.isNewPage {
            pages += 1
        }
        if commit.rule == .keep { kept += 1 }
    }
}
