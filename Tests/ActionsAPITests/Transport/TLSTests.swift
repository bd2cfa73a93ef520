import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import ActionsAPI

@Suite("TLS")
struct TLSTests {
    private func send(
        _ method: APIRequest.Method, to url: String, roots: String?
    ) async throws -> APIResponse {
        let route = HTTPRoute(trustRoots: try roots.map { try #require(TrustRoots(path: $0)) })
        return try await HTTPTransport.withTransport(
            baseURL: url, route: route, connections: 1, room: BodyRoom(capacity: 1 << 20), userAgent: "test"
        ) { transport in
            try await transport.send(
                APIRequest(method: method, path: "/", body: method == .post ? Array("secret".utf8) : nil))
        }
    }

    private func error(_ method: APIRequest.Method, to url: String, roots: String?) async throws -> TransportError {
        try #require(
            await #expect(throws: TransportError.self) { _ = try await send(method, to: url, roots: roots) })
    }

    @Test(arguments: [APIRequest.Method.get, .post])
    func `A certificate that somebody vouches for is accepted`(method: APIRequest.Method) async throws {
        try await TLSServer.with(.good) { server in
            let response = try await send(method, to: server.url, roots: server.roots)
            #expect(response.status == 200)
        }
    }

    @Test(arguments: [APIRequest.Method.get, .post])
    func `One that nobody vouches for is not, and nothing is sent`(method: APIRequest.Method) async throws {
        try await TLSServer.with(.good) { server in
            let error = try await error(method, to: server.url, roots: nil)
            #expect(error.kind == .notConnected)
            #expect(error.reason.contains("nobody vouches") && error.reason.contains("SSL_CERT_FILE"))
            #expect(server.bytesRead == 0)
        }
    }

    @Test(arguments: [APIRequest.Method.get, .post])
    func `One that has expired is not, and the reason says when`(method: APIRequest.Method) async throws {
        try await TLSServer.with(.expired) { server in
            let error = try await error(method, to: server.url, roots: server.roots)
            #expect(error.kind == .notConnected)
            #expect(error.reason.contains("expired at 20"), "\(error.reason)")
            #expect(server.bytesRead == 0)
        }
    }

    @Test func `However many fail of a certificate, it is looked at once`() async throws {
        try await TLSServer.with(.expired) { server in
            let reasons = try await HTTPTransport.withTransport(
                baseURL: server.url, connections: 4, room: BodyRoom(capacity: 1 << 20), userAgent: "test"
            ) { transport in
                try await withThrowingTaskGroup(of: String?.self) { group in
                    for _ in 1...4 {
                        group.addTask {
                            do {
                                _ = try await transport.send(APIRequest(method: .post, path: "/", body: [1]))
                                return nil
                            } catch let error as TransportError {
                                return error.reason
                            }
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
            }
            #expect(reasons.count == 4 && reasons.allSatisfy { $0?.contains("expired at 20") == true }, "\(reasons)")
            #expect(server.connections == 5)
        }
    }

    /// A server that says nothing.
    private func withMute<R>(_ body: (CertificateProbe) async throws -> R) async throws -> R {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let result: Result<R, any Error>
        do {
            result = .success(
                try await body(CertificateProbe(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        return try result.get()
    }

    @Test(.timeLimit(.minutes(1)))
    func `A server that says nothing is given up, once for all`() async throws {
        try await withMute { probe in
            let first = try await probe.complaint()
            let begin = ContinuousClock.now
            let second = try await probe.complaint()
            #expect(first == nil && second == nil)
            #expect(begin.duration(to: .now) < .seconds(2))
        }
    }

    @Test func `Who is cancelled waits for no certificate`() async throws {
        try await withMute { probe in
            let begin = ContinuousClock.now
            let waiting = Task { try await probe.complaint() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { _ = try await waiting.value }
            #expect(begin.duration(to: .now) < .seconds(2))
        }
    }

    @Test(arguments: [APIRequest.Method.get, .post])
    func `One of another host is not`(method: APIRequest.Method) async throws {
        try await TLSServer.with(.forAnotherHost) { server in
            let error = try await error(method, to: server.url, roots: server.roots)
            #expect(error.kind == .notConnected)
            #expect(error.reason.contains("another host name"), "\(error.reason)")
            #expect(server.bytesRead == 0)
        }
    }

    @Test func `A server without TLS is no connection either`() async throws {
        try await CannedServer.with("HTTP/1.1 400 Bad Request\r\n\r\n", then: .greet) { server in
            let url = server.url.replacing("http://", with: "https://")
            let error = try await error(.post, to: url, roots: nil)
            #expect(error.kind == .notConnected)
            #expect(error.reason.contains("TLS"), "\(error.reason)")
        }
    }
}
