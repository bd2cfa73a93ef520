import Foundation
import JSONText

/// What one answer to the fetch of a run means.
///
/// | answer | case |
/// | --- | --- |
/// | 200, status `success`; or no status and no errors | `finished(.success)` |
/// | 200, status `error`; or no status and errors | `finished(.error)` |
/// | 200, status `waiting` | `waiting` |
/// | 202, whatever its body | `pending` |
/// | 404, 410 with the API's error body | `gone` |
/// | 403 `permission_denied` | `forbidden` |
/// | 400, 409, 422 | `rejected` |
/// | 401; 403 `authentication_failed` | `credentialsRefused` |
/// | 429 | `throttled` |
/// | anything else: other statuses, a body that is not the promised JSON, an unknown `status`, another run's `id` | `faulty` |
package enum RunAnswer: Sendable {
    package enum Completion: Sendable, Equatable { case success, error }

    case finished(Completion, RunResult)
    case waiting(RunResult)
    case pending
    case gone([APIError])
    case forbidden([APIError])
    case rejected([APIError])
    case credentialsRefused([APIError])
    case throttled
    /// No use as an answer. `alive`: it shows all the same that the run exists.
    case faulty(RetryPolicy.Failure, reason: String, errors: [APIError], alive: Bool)

    /// - Parameter runID: the run that was asked for.
    package init(_ response: APIResponse, runID: UUID) {
        switch response.status {
        case 200: self = Self.result(response.body, runID: runID)
        case 202: self = .pending
        case 404, 410: self = Self.apiError(response) { .gone($0) }
        case 403:
            self = Self.apiError(response) { errors in
                let codes = errors.map(\.code)
                if codes.contains("authentication_failed") { return .credentialsRefused(errors) }
                if codes.contains("permission_denied") { return .forbidden(errors) }
                return .faulty(
                    .status(403), reason: "the API answered 403 without permission_denied", errors: errors, alive: false
                )
            }
        case 400, 409, 422: self = .rejected(APIError.list(response.body) ?? [])
        case 401: self = .credentialsRefused(APIError.list(response.body) ?? [])
        case 429: self = .throttled
        default:
            let errors = APIError.list(response.body) ?? []
            self = .faulty(
                .status(response.status), reason: "the API answered \(response.status)", errors: errors, alive: false)
        }
    }

    private static func result(_ body: [UInt8], runID: UUID) -> RunAnswer {
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONValue(validating: body)
        } catch {
            let what = body.isEmpty ? "an empty body" : "no JSON: \(error.reason) at byte \(error.offset)"
            return .faulty(.malformedAnswer, reason: "200 with \(what)", errors: [], alive: false)
        }
        guard let run = RunResult(value) else {
            return .faulty(
                .malformedAnswer, reason: "200 with JSON that is not a run's result", errors: [], alive: false)
        }
        if let id = run.id, UUID(uuidString: id) != runID {
            return .faulty(.malformedAnswer, reason: "200 with the result of another run", errors: [], alive: false)
        }
        return switch run.status {
        case "success": .finished(.success, run)
        case "error": .finished(.error, run)
        case "waiting": .waiting(run)
        case nil: .finished(run.errors.isEmpty ? .success : .error, run)
        case .some(let status):
            .faulty(
                .unknownStatus, reason: "200 with the unknown status \"\(status.prefix(40))\"", errors: [], alive: true)
        }
    }

    /// A 403, 404 or 410 counts as the API's word only with the API's error body: proxies answer them too.
    private static func apiError(_ response: APIResponse, _ answer: ([APIError]) -> RunAnswer) -> RunAnswer {
        guard let errors = APIError.list(response.body) else {
            return .faulty(
                .malformedAnswer, reason: "\(response.status) without the API's error body: from a proxy?", errors: [],
                alive: false)
        }
        return answer(errors)
    }

    /// The same answer with each error of the API changed so.
    func withErrors(_ change: (APIError) -> APIError) -> RunAnswer {
        switch self {
        case .gone(let errors): .gone(errors.map(change))
        case .forbidden(let errors): .forbidden(errors.map(change))
        case .rejected(let errors): .rejected(errors.map(change))
        case .credentialsRefused(let errors): .credentialsRefused(errors.map(change))
        case .faulty(let failure, let reason, let errors, let alive):
            .faulty(failure, reason: reason, errors: errors.map(change), alive: alive)
        case .finished, .waiting, .pending, .throttled: self
        }
    }
}

extension APIError {
    /// The error without the token, wherever somebody quoted it.
    func redacted(by token: AccessToken) -> APIError {
        var error = self
        let texts: [WritableKeyPath<APIError, String?>] = [
            \.code, \.title, \.detail, \.sourcePointer, \.sourceParameter, \.sourceHeader,
        ]
        for text in texts { error[keyPath: text] = error[keyPath: text].map(token.redacted) }
        if let meta = error.meta, token.stands(in: meta.bytes) { error.meta = nil }
        return error
    }
}
