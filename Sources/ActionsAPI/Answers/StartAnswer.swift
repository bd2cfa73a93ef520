import Foundation
import JSONText

/// What one answer to the POST that starts a run means.
///
/// The API answers `{"data": {"type": "run", "id": …}}`. A POST is not idempotent and its run may be billed, so only an
/// answer that shows that none was started may lead to another.
///
/// | answer | case |
/// | --- | --- |
/// | any 2xx with JSON whose `id`, flat or under `data`, is a UUID | `started` |
/// | 401, unless its body is HTML; 403 `authentication_failed` | `credentialsRefused`, or `tokenEnded` if there is
/// another token |
/// | 429 | `throttled` |
/// | 503 | `unavailable` |
/// | any other 4xx, whatever its body, but 408 and 425 | `refused` |
/// | anything else: a 2xx without a run's id, 3xx, 408, 425, other 5xx | `inDoubt` |
package enum StartAnswer: Sendable {
    case started(runID: UUID)
    /// The API would not start this run, and would not the next time. The reason is for people, without token and
    /// inputs.
    case refused([APIError], reason: String)
    case credentialsRefused([APIError])
    /// The token was refused, and there is another to ask again with: none was started.
    case tokenEnded
    /// Too many: none was started.
    case throttled
    /// Out of service for a while: none was started.
    case unavailable
    /// A run may have been started; the outcome is unknown.
    case inDoubt(reason: String)

    /// - Parameter token: taken out of the API's errors.
    package init(_ response: APIResponse, redactedBy token: AccessToken? = nil) {
        let status = response.status
        let errors = APIError.list(response.body, redactedBy: token)
        switch status {
        case 200...299:
            let runID = Self.runID(response)
            self = runID.map { .started(runID: $0) } ?? .inDoubt(reason: "\(status) without the id of a run")
        case 401 where !response.isHTML: self = .credentialsRefused(errors ?? [])
        case 403 where errors?.refuseCredentials == true: self = .credentialsRefused(errors ?? [])
        case 429: self = .throttled
        case 503: self = .unavailable
        case 408, 425: self = .inDoubt(reason: Self.reason(status, errors))
        case 400...499: self = .refused(errors ?? [], reason: Self.reason(status, errors))
        case 300...399 where response.headers.contains(.location):
            self = .inDoubt(reason: "the API answered \(response.statusText)")
        default: self = .inDoubt(reason: Self.reason(status, errors))
        }
    }

    package var refusesCredentials: Bool {
        if case .credentialsRefused = self { return true }
        return false
    }

    private static func runID(_ response: APIResponse) -> UUID? {
        guard let body = try? response.json() else { return nil }
        return [body["data"]?["id"], body["id"]].lazy.compactMap { $0?.string }.compactMap(UUID.init(uuidString:)).first
    }

    /// The status, and the code of the API's first error. Its texts may quote the inputs, which must not be shown.
    private static func reason(_ status: Int, _ errors: [APIError]?) -> String {
        guard let errors else { return APIError.absence(status) }
        guard let code = errors.first?.code, code.isErrorCode else { return "the API answered \(status)" }
        return "\(status) \(code)"
    }
}
