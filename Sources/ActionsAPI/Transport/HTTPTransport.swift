import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// `Transport` over AsyncHTTPClient; the only file that knows it.
package struct HTTPTransport: Transport {
    private let pooled: HTTPClient
    private let fresh: HTTPClient
    private let baseURL: String
    private let limits: TransportLimits
    private let room: BodyRoom
    private let userAgent: String
    /// Of the host itself, where no proxy stands before it.
    private let probe: CertificateProbe?

    /// Runs `body` with a transport whose connections are closed when it returns.
    ///
    /// GETs share a pool of connections, every POST has one of its own: the far side, or a balancer before it, may close
    /// an idle connection in the moment in which it is used again, and then nobody knows whether a POST got through.
    ///
    /// - Parameters:
    ///   - baseURL: scheme, host and perhaps port and path prefix, without a slash at its end.
    ///   - route: how to get there.
    ///   - connections: how many may be open at once to the host, for GETs and for POSTs each; each carries one HTTP/1.1
    ///     request at a time.
    package static func withTransport<R>(
        baseURL: String, route: HTTPRoute = HTTPRoute(), connections: Int, limits: TransportLimits = TransportLimits(),
        room: BodyRoom,
        userAgent: String, isolation: isolated (any Actor)? = #isolation,
        _ body: (HTTPTransport) async throws -> R
    ) async throws -> R {
        var configuration = HTTPClient.Configuration(route)
        // A redirect could carry the token, or repeat a POST (307, 308), to where nobody meant it to go.
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .nanoseconds(limits.connect.nanoseconds)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        // Retries live in one place, and it is not this one.
        configuration.connectionPool.retryConnectionEstablishment = false
        // The limit of a body counts its bytes as they come, decompressed or not.
        configuration.decompression = .enabled(limit: .none)
        var ofPosts = configuration
        // HTTP/2 would send many over one connection; HTTP/1.1 obeys `Connection: close`.
        ofPosts.httpVersion = .http1Only
        // One that was made for a POST that was cancelled meanwhile waits for no other.
        ofPosts.connectionPool.idleTimeout = .zero
        return try await HTTPClient.withHTTPClient(configuration: configuration) { pooled in
            try await HTTPClient.withHTTPClient(configuration: ofPosts) { fresh in
                try await body(
                    HTTPTransport(
                        pooled: pooled, fresh: fresh, baseURL: baseURL, limits: limits, room: room,
                        userAgent: userAgent,
                        probe: route.proxy == nil ? probe(of: baseURL, patience: limits.certificate) : nil))
            }
        }
    }

    private static func probe(of url: String, patience: Duration) -> CertificateProbe? {
        guard let url = URLComponents(string: url), let host = url.host else { return nil }
        return CertificateProbe(
            host: host.trimmingCharacters(in: ["[", "]"]), port: url.port ?? 443, patience: patience)
    }

    package func send(_ request: APIRequest) async throws -> APIResponse {
        let watch = StallWatch(clock: ContinuousClock(), limits: limits)
        let departure = Departure()
        do {
            return try await withThrowingTaskGroup(of: APIResponse.self) { group in
                group.addTask { try await exchange(request, departure: departure, watch: watch) }
                group.addTask { throw try await watch.run() }
                defer { group.cancelAll() }
                guard let response = try await group.next() else { throw CancellationError() }
                return response
            }
        } catch {
            // The group has ended, so nobody sends any more.
            throw request.method == .post ? departure.judged(error) : error
        }
    }

    private func exchange(
        _ request: APIRequest, departure: Departure, watch: StallWatch<ContinuousClock>
    ) async throws -> APIResponse {
        var message = HTTPClientRequest(url: baseURL + request.path)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        message.headers.add(name: "User-Agent", value: userAgent)
        message.headers.add(name: "Accept", value: "application/json")
        message.headers.add(name: "Accept-Encoding", value: "gzip, deflate")
        for header in request.headers { message.headers.add(name: header.name, value: header.value) }

        let response: HTTPClientResponse
        do {
            switch request.method {
            case .get: response = try await pooled.execute(message, deadline: .distantFuture)
            case .post:
                message.body = .bytes(departure.watching(request.body ?? []))
                message.headers.add(name: "Connection", value: "close")
                response = try await fresh.execute(message, deadline: .distantFuture)
            }
        } catch let error as NIOSSLError where TLSFailure.isUntrusted(error) {
            throw TransportError(.notConnected, try await probe?.complaint() ?? TLSFailure.reason(error))
        } catch {
            throw Self.transportError(error, beforeHead: true, limits: limits)
        }
        watch.moved()

        let lease = room.lease()
        let body: [UInt8]
        do {
            body = try await collect(response, lease: lease, watch: watch)
        } catch {
            var failure = Self.transportError(error, beforeHead: false, limits: limits)
            if var transport = failure as? TransportError {
                transport.answerBegan = true
                failure = transport
            }
            throw failure
        }
        return APIResponse(
            status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) }, body: body,
            lease: lease)
    }

    private func collect(
        _ response: HTTPClientResponse, lease: BodyLease, watch: StallWatch<ContinuousClock>
    ) async throws -> [UInt8] {
        var body: [UInt8] = []
        for try await chunk in response.body {
            watch.moved()
            guard chunk.readableBytes <= limits.body - body.count else {
                throw TransportError(.bodyTooLarge, "the answer is over the limit of \(limits.body >> 20) MiB")
            }
            try await watch.held { try await lease.grow(by: chunk.readableBytes) }
            body.append(contentsOf: chunk.readableBytesView)
        }
        // A cancelled body ends as if it were whole.
        try Task.checkCancellation()
        return body
    }

    /// What AsyncHTTPClient and NIO throw, in our terms. Messages are written here rather than taken over: theirs may
    /// hold addresses or parts of a header.
    private static func transportError(
        _ error: any Error, beforeHead: Bool, limits: TransportLimits
    ) -> any Error {
        switch error {
        case is CancellationError, is TransportError: return error
        case let error as HTTPClientError: return Self.transportError(error, limits: limits)
        case let error as NIOSSLError where beforeHead:
            return TransportError(.notConnected, TLSFailure.reason(error))
        case let error as NIOSSLExtraError where beforeHead:
            return TransportError(.notConnected, TLSFailure.reason(error))
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.first.map { "\($0.error)" } ?? "the host name could not be resolved"
            return TransportError(.notConnected, "no connection to the API: \(cause)")
        case let error as IOError where beforeHead && error.errnoCode == ECONNREFUSED:
            return TransportError(.notConnected, "no connection to the API: connection refused")
        case let error as IOError:
            return TransportError(
                .connectionLost, "the connection broke: \(String(cString: strerror(error.errnoCode)))")
        default:
            return TransportError(.connectionLost, "the exchange failed: \(type(of: error))")
        }
    }

    private static func transportError(_ error: HTTPClientError, limits: TransportLimits) -> any Error {
        switch error {
        case .cancelled: CancellationError()
        case .connectTimeout, .getConnectionFromPoolTimeout:
            TransportError(.notConnected, "no connection within \(limits.connect.components.seconds) s")
        case .proxyAuthenticationRequired:
            TransportError(.notConnected, "the proxy wants a user and a password: put them into its variable's address")
        case .invalidProxyResponse:
            TransportError(.notConnected, "the proxy would not connect: is its address right, and does it allow this?")
        case .httpProxyHandshakeTimeout: TransportError(.notConnected, "the proxy did not answer in time")
        case .tlsHandshakeTimeout: TransportError(.notConnected, "the TLS handshake took too long")
        case .remoteConnectionClosed, .uncleanShutdown:
            TransportError(.connectionLost, "the connection was closed before the answer was whole")
        case .readTimeout, .writeTimeout, .deadlineExceeded: TransportError(.timedOut, "no answer in time")
        default: TransportError(.connectionLost, "the exchange failed: \(error.shortDescription)")
        }
    }
}
