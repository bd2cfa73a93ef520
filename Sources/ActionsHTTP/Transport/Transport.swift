import ActionsAPI
import Foundation
import JSONText

/// Sends one request and returns its whole answer: the one thing that the exporter needs of HTTP.
package protocol Transport: Sendable {
    /// - Parameter onHead: gets the answer without its body, which may be long in coming, as soon as its head is there.
    /// - Throws: `TransportError` when no complete answer came, and `CancellationError` when the task was cancelled.
    func send(_ request: APIRequest, onHead: @escaping @Sendable (APIResponse) -> Void) async throws -> APIResponse
}

extension Transport {
    package func send(_ request: APIRequest) async throws -> APIResponse { try await send(request) { _ in } }
}
