import Foundation
import JSONText

/// What one answer to the fetch of a run means.
///
/// | answer | case |
/// | --- | --- |
/// | 200 that holds a result, status `success`; or no status and no errors | `finished(.success)` |
/// | 200 that holds a result, status `error`; or no status and errors | `finished(.error)` |
/// | 200, status `waiting` | `waiting` |
/// | 202, whatever its body | `pending` |
/// | 404, 410 with the API's error body | `gone` |
/// | 403 `permission_denied` | `forbidden` |
/// | 400, 409, 422 | `rejected` |
/// | 401, unless its body is HTML; 403 `authentication_failed` | `credentialsRefused`, or `tokenEnded` if there is
/// another token |
/// | 429, also as the API's own error in a 200 | `throttled` |
/// | anything else: other statuses, a body that is not the promised JSON, an unknown `status`, another run's `id` |
/// `faulty` |
///
/// A 200 holds a result if it has, flat or under `data`, an array `results`, or an array `errors` that is empty or
/// whose objects are all a partner's: without an integer `status` of 400 or more, and with a `code`, `title` or
/// `detail`. What is not such a result may be a gateway's word, and is never stored as one.
package enum RunAnswer: Sendable {
    package enum Completion: Sendable, Equatable { case success, error }

    case finished(Completion, RunResult)
    case waiting(RunResult)
    case pending
    case gone([APIError])
    case forbidden([APIError])
    case rejected([APIError])
    case credentialsRefused([APIError])
    /// The token was refused, and there is another to ask again with.
    case tokenEnded
    /// `insideOK`: the answer is a 200 that quotes the API's own 429.
    case throttled(insideOK: Bool)
    /// No use as an answer. `alive`: it shows all the same that the run exists.
    case faulty(RetryPolicy.Failure, reason: String, errors: [APIError], alive: Bool)

    /// - Parameters:
    ///   - runID: the run that was asked for.
    ///   - token: taken out of errors and all else but the results and the cursor.
    package init(_ response: APIResponse, runID: UUID, redactedBy token: AccessToken? = nil) {
        // Not read of a result, which may be large.
        lazy var errors = APIError.list(response.body, redactedBy: token)
        switch response.status {
        case 200: self = Self.result(response, runID: runID, redactedBy: token)
        case 202: self = .pending
        case 404, 410: self = errors.map(Self.gone) ?? Self.withoutErrors(response.status)
        case 403: self = errors.map(Self.refusal) ?? Self.withoutErrors(response.status)
        case 400, 409, 422: self = .rejected(errors ?? [])
        case 401: self = response.isHTML ? Self.withoutErrors(401) : .credentialsRefused(errors ?? [])
        case 429: self = .throttled(insideOK: false)
        default:
            self = .faulty(
                .status(response.status), reason: "the API answered \(response.statusText)", errors: errors ?? [],
                alive: false)
        }
    }

    package var refusesCredentials: Bool {
        if case .credentialsRefused = self { return true }
        return false
    }

    /// The HTTP status that this answer amounts to, for the rate budget above all: a 200 may quote an error of the API.
    ///
    /// - Parameter status: the one that it came with.
    package func effectiveStatus(_ status: Int) -> Int {
        switch self {
        case .throttled: 429
        case .faulty(.status(let quoted), _, _, _): quoted
        default: status
        }
    }

    private static func refusal(_ errors: [APIError]) -> RunAnswer {
        if errors.refuseCredentials { return .credentialsRefused(errors) }
        if errors.contains(where: { $0.code == "permission_denied" }) { return .forbidden(errors) }
        return .faulty(
            .status(403), reason: "the API answered 403 without permission_denied", errors: errors, alive: false)
    }

    /// A 403, 404 or 410 counts as the API's own only with the API's error body: proxies answer them too.
    private static func withoutErrors(_ status: Int) -> RunAnswer {
        .faulty(.malformedAnswer, reason: APIError.absence(status), errors: [], alive: false)
    }

    private static func result(
        _ response: APIResponse, runID: UUID, redactedBy token: AccessToken?
    ) -> RunAnswer {
        let value: JSONValue
        do throws(NoJSON) {
            value = try response.json()
        } catch {
            return .faulty(.malformedAnswer, reason: "200 with \(error.reason)", errors: [], alive: false)
        }
        guard let run = RunResult(value, redactedBy: token) else {
            return .faulty(
                .malformedAnswer, reason: "200 with JSON that is not a run's result", errors: [], alive: false)
        }
        if let id = run.id, !runID.isSpelled(id) {
            return .faulty(.malformedAnswer, reason: "200 with the result of another run", errors: [], alive: false)
        }
        if run.status == "waiting" { return .waiting(run) }
        guard run.isComplete else { return noResult(value, status: run.status, redactedBy: token) }
        return switch run.status {
        case "success": .finished(.success, run)
        case "error": .finished(.error, run)
        case nil: .finished(run.errors.isEmpty ? .success : .error, run)
        case .some(let status):
            .faulty(
                .unknownStatus, reason: "200 with the unknown status \"\(status.prefix(40))\"", errors: [], alive: true)
        }
    }

    private static func noResult(_ body: JSONValue, status: String?, redactedBy token: AccessToken?) -> RunAnswer {
        let errors = APIError.list(body, redactedBy: token) ?? []
        guard let own = APIError.ownStatus(of: errors) else {
            let reason =
                errors.isEmpty
                ? "200 with neither results nor errors" + (status.map { ", and the status \"\($0.prefix(40))\"" } ?? "")
                : "200 with errors that are not a partner's: one has neither code nor title nor detail"
            return .faulty(.malformedAnswer, reason: reason, errors: errors.filter(\.hasText), alive: false)
        }
        if own == 429 { return .throttled(insideOK: true) }
        let code = errors.first { $0.status == own }?.plainCode.map { " \($0)" } ?? ""
        return .faulty(
            .status(own), reason: "200 with the API's own error \(own)\(code)", errors: errors, alive: false)
    }
}
