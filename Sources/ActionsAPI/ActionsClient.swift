import Foundation

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
        return (RunAnswer(response, runID: runID).withErrors { $0.redacted(by: token) }, response)
    }

    /// `GET /actions/v1/stored-actions`: the stored actions that the token may see; what tries the token.
    ///
    /// - Throws: `TransportError`; `CancellationError`.
    package func listStoredActions() async throws -> APIResponse {
        try await transport.send(
            APIRequest(method: .get, path: "/actions/v1/stored-actions", headers: [token.authorization]))
    }
}
