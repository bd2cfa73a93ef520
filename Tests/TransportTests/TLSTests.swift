import Foundation
import NIOSSL
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("TLS", .timeLimit(.minutes(5)))
struct TLSTests {
    private func send(
        _ method: APIRequest.Method, to url: String, roots: String?
    ) async throws -> APIResponse {
        let route = HTTPRoute(trustRoots: try roots.map { try #require(TrustRoots(path: $0)) })
        return try await HTTPTransport.withTransport(
            baseURL: url, route: route, connections: 1, limits: .generous, room: BodyRoom(capacity: 1 << 20),
            userAgent: "test"
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
    func `A trusted certificate is accepted`(method: APIRequest.Method) async throws {
        try await TLSServer.with(.good) { server in
            let response = try await send(method, to: server.url, roots: server.roots)
            #expect(response.status == 200)
        }
    }

    @Test(arguments: [APIRequest.Method.get, .post])
    func `An untrusted one is rejected, and nothing is sent`(method: APIRequest.Method) async throws {
        try await TLSServer.with(.good) { server in
            let error = try await error(method, to: server.url, roots: nil)
            #expect(error.kind == .notConnected)
            #expect(error.reason.contains("is not trusted") && error.reason.contains("SSL_CERT_FILE"))
            #expect(server.bytesRead == 0)
        }
    }

    @Test(arguments: [APIRequest.Method.get, .post])
    func `One that has expired is not, and the reason says that it may have`(method: APIRequest.Method) async throws {
        try await TLSServer.with(.expired) { server in
            let error = try await error(method, to: server.url, roots: server.roots)
            #expect(error.kind == .notConnected)
            #expect(error.reason.contains("is not trusted") && error.reason.contains("expired"), "\(error.reason)")
            #expect(server.bytesRead == 0)
        }
    }

    @Test func `Each request that fails of a certificate has made one connection, and no other is made`() async throws {
        try await TLSServer.with(.expired) { server in
            let reasons = try await HTTPTransport.withTransport(
                baseURL: server.url, connections: 4, limits: .generous, room: BodyRoom(capacity: 1 << 20),
                userAgent: "test"
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
            #expect(reasons.count == 4 && reasons.allSatisfy { $0?.contains("expired") == true }, "\(reasons)")
            #expect(server.connections == 4)
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

    @Test func `A request to a server without TLS fails to connect`() async throws {
        try await CannedServer.with("HTTP/1.1 400 Bad Request\r\n\r\n", then: .greet) { server in
            let url = server.url.replacing("http://", with: "https://")
            let error = try await error(.post, to: url, roots: nil)
            #expect(error.kind == .notConnected)
            #expect(error.reason.contains("TLS"), "\(error.reason)")
        }
    }

    @Test(arguments: [TLSVersion.tlsv1, .tlsv11])
    func `A request to a server that offers no TLS 1.2 fails to connect, and the reason names TLS 1.2`(
        version: TLSVersion
    ) async throws {
        try await TLSServer.with(.good, latest: version) { server in
            for method in [APIRequest.Method.get, .post] {
                let error = try await error(method, to: server.url, roots: server.roots)
                #expect(error.kind == .notConnected)
                #expect(error.reason == "the TLS handshake failed: the server offers no TLS 1.2 or later")
                #expect(server.bytesRead == 0)
            }
        }
    }

    @Test func `TLS 1.2 is enough`() async throws {
        try await TLSServer.with(.good, latest: .tlsv12) { server in
            let response = try await send(.get, to: server.url, roots: server.roots)
            #expect(response.status == 200)
        }
    }
}
