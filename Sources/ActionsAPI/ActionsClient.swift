import Foundation
import JSONText

/// The requests that the exporter makes of the Actions API.
package struct ActionsClient: Sendable {
    private let transport: any Transport
    private let token: AccessToken

    package init(transport: any Transport, token: AccessToken) {
        self.transport = transport
        self.token = token
    }

    /// `GET /actions/v1/stored-actions/{stored_action_id}/runs/{run_id}`: a run's result.
    ///
    /// - Returns: what the answer means, and the answer.
    /// - Throws: `TransportError`; `CancellationError`.
    package func fetchRun(storedActionID: UUID, runID: UUID) async throws -> (RunAnswer, APIResponse) {
        let response = try await transport.send(
            APIRequest(
                method: .get,
                path: "/actions/v1/stored-actions/\(storedActionID.lowercase)/runs/\(runID.lowercase)",
                headers: [token.authorization]))
        return (RunAnswer(response, runID: runID, redactedBy: token), response)
    }

    /// `POST /actions/v1/stored-actions/{stored_action_id}/run`: starts a run that is one page of a bulk read. It is not
    /// idempotent: what may have got through must not be sent again.
    ///
    /// - Parameters:
    ///   - inputs: a JSON object, sent byte for byte.
    ///   - page: the cursor.
    /// - Returns: what the answer means, and the answer.
    /// - Throws: `TransportError`, of the kind `notConnected` only when the request surely never left;
    ///   `CancelledBeforeDeparture`; `CancellationError`, after which it may have left.
    package func startRun(
        storedActionID: UUID, inputs: [UInt8], page: String
    ) async throws -> (StartAnswer, APIResponse) {
        let body =
            Array(#"{"data": {"inputs": "#.utf8) + inputs + Array(#", "page": \#(JSONValue.quoted(page))}}"#.utf8)
        let response = try await transport.send(
            APIRequest(
                method: .post, path: "/actions/v1/stored-actions/\(storedActionID.lowercase)/run",
                headers: [token.authorization, ("Content-Type", "application/json")], body: body))
        return (StartAnswer(response, redactedBy: token), response)
    }

    /// `GET /actions/v1/stored-actions/{stored_action_id}`: what kind of action it is.
    ///
    /// - Returns: what the answer means, and the answer.
    /// - Throws: `TransportError`; `CancellationError`.
    package func lookUp(storedActionID: UUID) async throws -> (LookUpAnswer, APIResponse) {
        let response = try await transport.send(
            APIRequest(
                method: .get, path: "/actions/v1/stored-actions/\(storedActionID.lowercase)",
                headers: [token.authorization]))
        return (LookUpAnswer(response, storedActionID: storedActionID, redactedBy: token), response)
    }

    /// `GET /actions/v1/stored-actions`: the stored actions that the token may see; what tries the token.
    ///
    /// - Throws: `TransportError`; `CancellationError`.
    package func listStoredActions() async throws -> APIResponse {
        try await transport.send(
            APIRequest(method: .get, path: "/actions/v1/stored-actions", headers: [token.authorization]))
    }
}
