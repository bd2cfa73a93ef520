import Foundation
import HTTPTypes
import Synchronization

@testable import ActionsAPI
@testable import ActionsHTTP

/// A transport that answers by script, and remembers what it was asked.
final class ScriptedTransport: Transport {
    typealias Answer = @Sendable (APIRequest) async throws -> APIResponse

    private let state: Mutex<(answers: [Answer], asked: [APIRequest])>

    /// - Parameter answers: one a request, the last one for all that follow.
    init(_ answers: Answer...) { state = Mutex((answers, [])) }

    var asked: [String] {
        state.withLock { $0.asked.map { String(decoding: $0.body ?? [], as: UTF8.self) } }
    }
    var requests: [APIRequest] { state.withLock(\.asked) }

    func send(
        _ request: APIRequest, onHead: @escaping @Sendable (APIResponse) -> Void
    ) async throws -> APIResponse {
        let answer = state.withLock { state in
            state.asked.append(request)
            return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
        }
        let response = try await answer(request)
        onHead(APIResponse(status: response.status, headers: response.headers))
        return response
    }

    static func json(_ status: Int, _ body: String, _ headers: HTTPFields = [:]) -> Answer {
        { _ in APIResponse(status: status, headers: headers, body: Array(body.utf8)) }
    }

    static func failing(_ kind: TransportError.Kind) -> Answer { { _ in throw TransportError(kind, "no luck") } }
}
