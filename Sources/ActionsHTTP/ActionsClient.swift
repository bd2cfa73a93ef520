import ActionsAPI
import Foundation
import HTTPTypes
import JSONText

/// The requests that the exporter makes of the Actions API.
///
/// Each departs with the token of that moment. Where the API refuses that token and there is another, the answer says
/// so: asking again is the caller's, for it takes a slot of the budget.
package struct ActionsClient: Sendable {
    private let transport: any Transport
    private let tokens: TokenSource

    /// Bytes.
    private static let mostReadAtOnce = 64 << 10

    package init(transport: any Transport, tokens: TokenSource) {
        self.transport = transport
        self.tokens = tokens
    }

    /// The requests made for tokens.
    package var tokenRequests: TokenRequests { tokens.requests }

    /// `GET /actions/v1/stored-actions/{stored_action_id}/runs/{run_id}`: a run's result.
    ///
    /// - Parameter onHead: gets the answer's status and headers before its body has come.
    /// - Returns: what the answer means, and the answer.
    /// - Throws: `TokenError`, `CancelledBeforeDeparture`, after which nothing was sent; `TransportError`;
    ///   `CancellationError`.
    package func fetchRun(
        storedActionID: UUID, runID: UUID, onHead: @escaping @Sendable (APIResponse) -> Void = { _ in }
    ) async throws -> (RunAnswer, APIResponse) {
        var (response, token) = try await send(
            APIRequest(
                method: .get,
                path: "/actions/v1/stored-actions/\(storedActionID.lowercase)/runs/\(runID.lowercase)"),
            onHead)
        // A result is data, kept as it came; what else is answered may quote the request, and may be kept whole.
        if response.status != 200 { response.body = token.redacted(response.body) }
        let answer = await answer(response, runID: runID, redactedBy: token)
        return (await isEnded(token, answer.refusesCredentials) ? .tokenEnded : answer, response)
    }

    /// Reads a large body away from the network's thread.
    private func answer(_ response: APIResponse, runID: UUID, redactedBy token: AccessToken) async -> RunAnswer {
        guard response.body.count > Self.mostReadAtOnce else {
            return RunAnswer(response, runID: runID, redactedBy: token)
        }
        return await withTaskExecutorPreference(globalConcurrentExecutor) {
            RunAnswer(response, runID: runID, redactedBy: token)
        }
    }

    /// `POST /actions/v1/stored-actions/{stored_action_id}/run`: starts a run that is one page of a bulk read. It is
    /// not idempotent: what may have got through must not be sent again.
    ///
    /// - Parameters:
    ///   - inputs: a JSON object, sent byte for byte.
    ///   - page: the cursor.
    /// - Returns: what the answer means, and the answer.
    /// - Throws: `TransportError`, of the kind `notConnected` only when the request surely never left; `TokenError`,
    ///   `CancelledBeforeDeparture`, after which nothing was sent; `CancellationError`, after which it may have left.
    package func startRun(
        storedActionID: UUID, inputs: [UInt8], page: String,
        onHead: @escaping @Sendable (APIResponse) -> Void = { _ in }
    ) async throws -> (StartAnswer, APIResponse) {
        let body =
            Array(#"{"data": {"inputs": "#.utf8) + inputs + Array(#", "page": \#(JSONValue.quoted(page))}}"#.utf8)
        let (response, token) = try await send(
            APIRequest(
                method: .post, path: "/actions/v1/stored-actions/\(storedActionID.lowercase)/run",
                headers: [.contentType: "application/json"], body: body),
            onHead)
        let answer = StartAnswer(response, redactedBy: token)
        return (await isEnded(token, answer.refusesCredentials) ? .tokenEnded : answer, response)
    }

    /// `GET /actions/v1/stored-actions/{stored_action_id}`: what kind of action it is.
    ///
    /// - Returns: what the answer means, and the answer.
    /// - Throws: `TokenError`, `CancelledBeforeDeparture`, after which nothing was sent; `TransportError`;
    ///   `CancellationError`.
    package func lookUp(
        storedActionID: UUID, onHead: @escaping @Sendable (APIResponse) -> Void = { _ in }
    ) async throws -> (LookUpAnswer, APIResponse) {
        let (response, token) = try await send(
            APIRequest(method: .get, path: "/actions/v1/stored-actions/\(storedActionID.lowercase)"), onHead)
        let answer = LookUpAnswer(response, storedActionID: storedActionID, redactedBy: token)
        return (await isEnded(token, answer.refusesCredentials) ? .tokenEnded : answer, response)
    }

    /// `GET /actions/v1/stored-actions`: the stored actions that the token may see; what tries the token.
    ///
    /// No budget counts this request, so it is sent again at once if there is another token.
    ///
    /// - Throws: `TokenError`; `TransportError`; `CancellationError`.
    package func listStoredActions() async throws -> APIResponse {
        let request = APIRequest.listOfStoredActions
        let (response, token) = try await send(request)
        let errors = APIError.list(response.body, redactedBy: token) ?? []
        let isRefused = response.status == 401 && !response.isHTML || response.status == 403 && errors.refuseCredentials
        return await isEnded(token, isRefused) ? try await send(request).0 : response
    }

    private func send(
        _ request: APIRequest, _ onHead: @escaping @Sendable (APIResponse) -> Void = { _ in }
    ) async throws -> (APIResponse, AccessToken) {
        let token = try await tokens.current()
        var request = request
        request.headers.insert(token.authorization, at: 0)
        var response = try await transport.send(request, onHead: onHead)
        // The reason names the redirect's host, and a Location may quote the request.
        if response.headers.contains(.location) {
            response.headers[fields: .location] = response.headers[fields: .location].map { field in
                HTTPField(name: field.name, lenientValue: token.redacted(field.value).utf8)
            }
        }
        return (response, token)
    }

    private func isEnded(_ token: AccessToken, _ isRefused: Bool) async -> Bool {
        guard isRefused else { return false }
        return await tokens.refused(token)
    }
}

extension APIRequest {
    /// `GET /actions/v1/stored-actions`, without a token.
    package static let listOfStoredActions = APIRequest(method: .get, path: "/actions/v1/stored-actions")

    /// The base's own address, without a token.
    package static let base = APIRequest(method: .get, path: "")
}
