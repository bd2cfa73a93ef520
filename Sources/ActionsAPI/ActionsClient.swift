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

/// A bearer token. It has no description, so that no log line and no error message can show it.
package struct AccessToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    /// - Returns: nil if the text could not stand in a header: empty, or with characters other than visible ASCII.
    package init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        value = text
    }

    /// The text without the token: an API, or a proxy before it, may quote what it was sent.
    func redacted(_ text: String) -> String { text.replacing(value, with: "[token]") }

    func stands(in bytes: some Collection<UInt8>) -> Bool { bytes.contains(Array(value.utf8)) }

    var authorization: (name: String, value: String) { ("Authorization", "Bearer \(value)") }

    package var description: String { "AccessToken" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension UUID {
    /// As the API spells it.
    package var lowercase: String { uuidString.lowercased() }
}
