import ActionsAPI
import Foundation

/// An answer on its way to the tables.
package struct FetchedRun: Sendable {
    package var item: RunItem
    package var verdict: Verdict
    /// Of the last answer; nil if none came.
    package var httpStatus: Int?
    /// The body of a final 200.
    package var result: RunResult?
    /// `status` of a 200 that is not final.
    package var status: String?
    package var apiErrors: [APIError] = []
    /// The answer's body, if it is to be kept whole.
    package var body: [UInt8]?
    package var answeredAt: Date
    /// When the run is asked for again, if it is not finished.
    package var pollAt: Date?
    /// The body's room in memory, given back after the commit.
    package var lease: BodyLease?
    /// Of its rows, those that PostgreSQL refused.
    package var refusedResults = 0
    package var refusedErrors = 0
    /// PostgreSQL refused its unknown fields.
    package var isExtraRefused = false
    /// Parts of the answer that are in `rejects` instead.
    package var rejects = 0

    package init(
        item: RunItem, verdict: Verdict, httpStatus: Int? = nil, result: RunResult? = nil, status: String? = nil,
        apiErrors: [APIError] = [], body: [UInt8]? = nil, answeredAt: Date, pollAt: Date? = nil,
        lease: BodyLease? = nil, refusedResults: Int = 0, refusedErrors: Int = 0, rejects: Int = 0
    ) {
        self.item = item
        self.verdict = verdict
        self.httpStatus = httpStatus
        self.result = result
        self.status = status
        self.apiErrors = apiErrors
        self.body = body
        self.answeredAt = answeredAt
        self.pollAt = pollAt
        self.lease = lease
        self.refusedResults = refusedResults
        self.refusedErrors = refusedErrors
        self.rejects = rejects
    }

    /// Rows that it brings to `results`.
    package var resultCount: Int { (result?.resultCount ?? 0) - refusedResults }
    /// Rows that it brings to `errors`.
    package var errorCount: Int { (result?.errors.rowCount ?? 0) - refusedErrors }
    /// What it brings to `runs.extra`.
    package var unknownFields: UnknownFields {
        isExtraRefused ? UnknownFields() : result?.unknownFields ?? UnknownFields()
    }
    /// The body, if the answer is the run's last in this export.
    package var finalBody: [UInt8]? { verdict.outcome.isFinal ? body : nil }

    /// Bytes that the batch grows by: the body's values, and something for the row itself.
    package var bytes: Int {
        let whole = 200 + (body?.count ?? 0)
        guard let result else { return whole }
        let errors = result.errors.byteCount + 200 * result.errors.rowCount
        return whole + result.resultBytes + errors + result.unknownFields.byteCount
    }

    /// Of the API's errors, as they came.
    package var errorBytes: Int { apiErrors.reduce(0) { $0 + ($1.value?.bytes.count ?? 0) } }

    package var rows: Int { 1 + (result?.resultCount ?? 0) + (result?.errors.rowCount ?? 0) + apiErrors.count }
}

extension FetchedRun {
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

extension FetchedRun {
    /// Given up together with all others.
    func failed(_ reason: String) -> FetchedRun {
        var run = self
        run.verdict = Verdict(outcome: .failed, failure: reason, seenAlive: item.seenAlive)
        return run
    }
}
