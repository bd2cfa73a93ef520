import Foundation
import JSONText

/// What one answer to the look-up of a stored action means.
///
/// | answer | case |
/// | --- | --- |
/// | 200 with a stored action, flat or under `data`: `type` is `stored_action`, or `action_type` or `id` is there |
/// `known` |
/// | 403, 404, 410 with the API's error body, unless the next row holds | `refused` |
/// | 401, unless its body is HTML; 403 `authentication_failed` | `credentialsRefused`, or `tokenEnded` if there is
/// another token |
/// | 429 | `throttled` |
/// | anything else: other statuses, a body that is not the promised JSON, another action's `id` | `faulty` |
package enum LookUpAnswer: Sendable {
    case known(StoredActionDescription)
    /// The token may not see the action, or there is none.
    case refused(status: Int, [APIError])
    case credentialsRefused([APIError])
    /// The token was refused, and there is another to ask again with.
    case tokenEnded
    case throttled
    /// No use as an answer.
    case faulty(RetryPolicy.Failure, reason: String)

    /// - Parameters:
    ///   - storedActionID: the stored action that was asked for.
    ///   - token: taken out of the API's errors.
    package init(_ response: APIResponse, storedActionID: UUID, redactedBy token: AccessToken? = nil) {
        let status = response.status
        let errors = APIError.list(response.body, redactedBy: token)
        switch status {
        case 200: self = Self.description(response, storedActionID: storedActionID)
        case 403 where errors?.refuseCredentials == true: self = .credentialsRefused(errors ?? [])
        case 403, 404, 410:
            self =
                errors.map { .refused(status: status, $0) }
                ?? .faulty(.malformedAnswer, reason: APIError.absence(status))
        case 401 where response.isHTML: self = .faulty(.malformedAnswer, reason: APIError.absence(status))
        case 401: self = .credentialsRefused(errors ?? [])
        case 429: self = .throttled
        default: self = .faulty(.status(status), reason: "the API answered \(response.statusText)")
        }
    }

    package var refusesCredentials: Bool {
        if case .credentialsRefused = self { return true }
        return false
    }

    private static func description(_ response: APIResponse, storedActionID: UUID) -> LookUpAnswer {
        let body: JSONValue
        do throws(NoJSON) {
            body = try response.json()
        } catch {
            return .faulty(.malformedAnswer, reason: "200 with \(error.reason)")
        }
        guard let action = [body["data"], body].lazy.compactMap({ $0 }).first(where: Self.isAction) else {
            return .faulty(.malformedAnswer, reason: "200 with JSON that is not a stored action")
        }
        if let id = action["id"], !id.isNull, id.string.flatMap(UUID.init(uuidString:)) != storedActionID {
            return .faulty(.malformedAnswer, reason: "200 with another stored action")
        }
        return .known(
            StoredActionDescription(
                actionType: action["action_type"]?.string, actionKey: action["action_key"]?.string,
                selectedAPI: action["selected_api"]?.string))
    }

    private static func isAction(_ value: JSONValue) -> Bool {
        value["type"]?.string == "stored_action" || value["action_type"] != nil || value["id"] != nil
    }
}

/// A stored action as the API describes it; nil if it does not say so, or not as a string.
package struct StoredActionDescription: Sendable, Equatable {
    /// `read_bulk`, `write` and others, unknown ones included.
    package var actionType: String?
    package var actionKey: String?
    package var selectedAPI: String?

    package init(actionType: String? = nil, actionKey: String? = nil, selectedAPI: String? = nil) {
        self.actionType = actionType
        self.actionKey = actionKey
        self.selectedAPI = selectedAPI
    }
}
