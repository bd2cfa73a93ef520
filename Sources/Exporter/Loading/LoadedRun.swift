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
    /// The answer's body, if it is to be kept whole.
    var body: [UInt8]?
    var answeredAt: Date
    /// When the run is asked for again, if it is not finished.
    var pollAt: Date?
    /// The body's room in memory, given back after the commit.
    var lease: BodyLease?
    /// Of its rows, those that PostgreSQL refused.
    var refusedResults = 0
    var refusedErrors = 0
    /// Parts of the answer that are in `rejects` instead.
    var rejects = 0

    /// Rows that it brings to `results`.
    var resultCount: Int { (result?.resultCount ?? 0) - refusedResults }
    /// Rows that it brings to `errors`.
    var errorCount: Int { (result?.errors.rowCount ?? 0) - refusedErrors }
    /// The body, if the answer is the run's last in this export.
    var finalBody: [UInt8]? { verdict.outcome.isFinal ? body : nil }

    /// Bytes that the batch grows by: the body's values, and something for the row itself.
    var bytes: Int {
        let whole = 200 + (body?.count ?? 0)
        guard let result else { return whole }
        let errors = result.errors.byteCount + 200 * result.errors.rowCount
        return whole + result.resultBytes + errors + result.unknownFields.byteCount
    }

    /// Of the API's errors, as they came.
    var errorBytes: Int { apiErrors.reduce(0) { $0 + ($1.value?.bytes.count ?? 0) } }

    var rows: Int { 1 + (result?.resultCount ?? 0) + (result?.errors.rowCount ?? 0) + apiErrors.count }
}

extension LoadedRun {
    /// What of the answer the tables keep. The verdict comes with the step.
    ///
    /// - Parameter body: with `--keep-raw`, the answer's body.
    init(
        item: RunItem, answer: RunAnswer, httpStatus: Int, body: [UInt8]? = nil, answeredAt: Date, lease: BodyLease?
    ) {
        self.init(
            item: item, verdict: .unanswered, httpStatus: httpStatus, body: body, answeredAt: answeredAt, lease: lease)
        switch answer {
        case .finished(_, let result): self.result = result
        case .waiting(let result): status = result.status
        case .gone(let errors), .forbidden(let errors), .rejected(let errors), .credentialsRefused(let errors),
            .faulty(_, _, let errors, _):
            apiErrors = errors
        case .pending, .throttled, .tokenEnded: break
        }
        // Only a result's values and an error's are slices of the body.
        if result == nil, body == nil, apiErrors.allSatisfy({ $0.value == nil }) { self.lease = nil }
    }
}

extension LoadedRun {
    /// Given up together with all others.
    func failed(_ health: Health) -> LoadedRun {
        var run = self
        run.verdict = Verdict(outcome: .failed, failure: health.reason, seenAlive: item.seenAlive)
        return run
    }
}
