import ActionsAPI
import Foundation

/// An answer on its way to the tables.
struct LoadedRun: Sendable {
    var item: RunItem
    var verdict: Verdict
    /// Of the last answer; nil if none came.
    var httpStatus: Int?
    /// The body of a final 200.
    var result: RunResult?
    /// `status` of a 200 that is not final.
    var status: String?
    var apiErrors: [APIError] = []
    var answeredAt: Date
    /// When the run is asked for again, if it is not finished.
    var pollAt: Date?
    /// The body's room in memory, given back after the commit.
    var lease: BodyLease?

    /// Bytes that the batch grows by: the body's values, and something for the row itself.
    var bytes: Int {
        guard let result else { return 200 }
        return 200 + result.resultBytes + result.errors.count * 200
    }

    var rows: Int { 1 + (result?.resultCount ?? 0) + (result?.errors.count ?? 0) + apiErrors.count }
}

extension LoadedRun {
    /// What of the answer the tables keep. The verdict comes with the step.
    init(item: RunItem, answer: RunAnswer, httpStatus: Int, answeredAt: Date, lease: BodyLease?) {
        self.init(
            item: item, verdict: .unanswered, httpStatus: httpStatus, answeredAt: answeredAt, lease: lease)
        switch answer {
        case .finished(_, let result): self.result = result
        case .waiting(let result): status = result.status
        case .gone(let errors), .forbidden(let errors), .rejected(let errors), .credentialsRefused(let errors),
            .faulty(_, _, let errors, _):
            apiErrors = errors
        case .pending, .throttled: break
        }
        // Only a result's values and an error's meta are slices of the body.
        if result == nil, apiErrors.allSatisfy({ $0.meta == nil }) { self.lease = nil }
    }
}
