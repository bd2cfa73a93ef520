import ActionsAPI
import Foundation
import HTTPTypes
import Synchronization

/// Asks for tokens: one exchange at a time, without retries of its own but the other way of saying who asks.
package final class TokenEndpoint: Sendable {
    private let transport: any Transport
    private let client: ClientCredentials
    private let requests: TokenRequests
    /// The way that the server is known to take.
    private let authentication = Mutex<TokenRequest.Authentication?>(nil)

    /// - Parameter transport: whose base is the endpoint's whole address.
    package init(transport: any Transport, client: ClientCredentials, requests: TokenRequests) {
        self.transport = transport
        self.client = client
        self.requests = requests
    }

    /// - Throws: `TokenFailure`; `CancellationError`.
    func exchange(_ grant: TokenRequest.Grant) async throws -> TokenAnswer.Tokens {
        let known = authentication.withLock { $0 }
        var used = known ?? .basic
        var (answer, retryAfter) = try await send(grant, by: used)
        if case .refused(400...401, code: "invalid_client") = answer, known == nil {
            used = .form
            (answer, retryAfter) = try await send(grant, by: used)
        }
        switch answer {
        case .issued(let tokens):
            authentication.withLock { $0 = used }
            return tokens
        case .refused(let status, let code): throw TokenFailure.final(refusal(of: grant, status, code))
        case .failed(let failure, let reason):
            throw TokenFailure.transient(failure, retryAfter: retryAfter, reason: reason)
        }
    }

    private func send(
        _ grant: TokenRequest.Grant, by authentication: TokenRequest.Authentication
    ) async throws -> (TokenAnswer, retryAfter: Duration?) {
        let request = TokenRequest.request(grant, client: client, by: authentication)
        requests.begin()
        do {
            var response = try await transport.send(request)
            requests.end(.answered(response.status))
            // The reason names the redirect's host, and a Location may quote the request.
            response.headers.removeAll { $0.name == .location && isSecret($0.value, in: grant) }
            let headers = RateLimitHeaders(response.headers, receivedAt: Date())
            return (TokenAnswer(response), headers.retryAfter)
        } catch let error as TransportError {
            requests.end(error.kind == .notConnected ? .neverLeft : .unanswered)
            throw TokenFailure.transient(
                error.failure, retryAfter: nil, reason: "the token endpoint cannot be reached: \(error.reason)")
        } catch is CancelledBeforeDeparture {
            requests.end(.neverLeft)
            throw CancellationError()
        } catch {
            requests.end(.unanswered)
            if error is CancellationError { throw error }
            throw TokenFailure.final(
                TokenError(.unreachable, "the token endpoint could not be asked: \(type(of: error))"))
        }
    }

    private func refusal(of grant: TokenRequest.Grant, _ status: Int, _ code: String?) -> TokenError {
        let quoted = code.flatMap { isSecret($0, in: grant) ? nil : $0 }
        let advice =
            switch (grant, quoted) {
            case (_, "invalid_client"): ": are client id and secret right?"
            case (.refreshToken, "invalid_grant"): ": the refresh token is spent or revoked; authorize again"
            case (.clientCredentials, _), (.refreshToken, _): ""
            }
        return TokenError(.refused, "the token endpoint answered \(status)\(quoted.map { " \($0)" } ?? "")\(advice)")
    }

    private func isSecret(_ code: String, in grant: TokenRequest.Grant) -> Bool {
        if case .refreshToken(let token) = grant, token.occurs(in: code) { return true }
        return client.secret.occurs(in: code) || TokenRequest.basic(client).contains(code)
    }
}

/// The requests made for tokens, which an export counts with its own.
package final class TokenRequests: Sendable {
    enum End: Sendable { case answered(Int), unanswered, neverLeft }

    private struct State {
        var ended: [Int?] = []
        var inFlight = 0
    }

    private let state = Mutex(State())

    package init() {}

    func begin() { state.withLock { $0.inFlight += 1 } }

    func end(_ end: End) {
        state.withLock { state in
            state.inFlight -= 1
            switch end {
            case .answered(let status): state.ended.append(status)
            case .unanswered: state.ended.append(nil)
            case .neverLeft: break
            }
        }
    }

    /// The HTTP statuses of the requests that ended since this was asked last; nil for those without an answer.
    ///
    /// - Parameter isLast: no request follows, so those in flight count as unanswered.
    package func take(isLast: Bool = false) -> [Int?] {
        state.withLock { state in
            defer { state.ended = [] }
            return state.ended + (isLast ? Array(repeating: nil, count: state.inFlight) : [])
        }
    }
}
