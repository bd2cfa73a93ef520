import Foundation
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("Proxies", .timeLimit(.minutes(5)))
struct ProxyTests {
    private func send(
        _ method: APIRequest.Method = .get, to url: String, by proxy: ProxyServer, roots: String? = nil
    ) async throws -> APIResponse {
        let route = HTTPRoute(proxy: proxy, trustRoots: try roots.map { try #require(TrustRoots(path: $0)) })
        return try await HTTPTransport.withTransport(
            baseURL: url, route: route, connections: 1, limits: .generous, room: BodyRoom(capacity: 1 << 20),
            userAgent: "test"
        ) { transport in
            try await transport.send(
                APIRequest(
                    method: method, path: "/path", headers: [.authorization: "Bearer tok-1"],
                    body: method == .post ? Array("{}".utf8) : nil))
        }
    }

    @Test(arguments: [APIRequest.Method.get, .post])
    func `The proxy connects, knows who asks, and sees neither token nor path`(method: APIRequest.Method) async throws {
        try await TLSServer.with(.good) { server in
            try await ConnectProxy.with { proxy in
                let address = ProxyServer(host: "127.0.0.1", port: proxy.port, user: "me", password: Secret("p:1"))
                let response = try await send(method, to: server.url, by: address, roots: server.roots)
                #expect(response.status == 200)
                let head = try #require(proxy.heads.first)
                #expect(head.hasPrefix("CONNECT localhost:\(server.port) HTTP/1.1\r\n"))
                #expect(head.lowercased().contains("proxy-authorization: basic bwu6cdox\r\n"))
                #expect(!head.contains("tok-1") && !head.contains("/path"))
            }
        }
    }

    @Test func `The certificate is looked at behind a proxy too`() async throws {
        try await TLSServer.with(.good) { server in
            try await ConnectProxy.with { proxy in
                let error = await #expect(throws: TransportError.self) {
                    _ = try await send(.post, to: server.url, by: ProxyServer(host: "127.0.0.1", port: proxy.port))
                }
                #expect(error?.kind == .notConnected)
                #expect(error?.reason.contains("is not trusted") == true)
                #expect(proxy.heads.count == 1)
                #expect(server.bytesRead == 0)
            }
        }
    }

    @Test(arguments: [
        ("407 Proxy Authentication Required", "user and a password"), ("403 Forbidden", "would not connect"),
    ])
    func `A request through a proxy that refuses fails to connect, and the reason names the proxy`(
        status: String, words: String
    ) async throws {
        try await ConnectProxy.with(refusal: status) { proxy in
            for method in [APIRequest.Method.get, .post] {
                let address = ProxyServer(host: "127.0.0.1", port: proxy.port, user: "me", password: Secret("hunter2"))
                let error = await #expect(throws: TransportError.self) {
                    _ = try await send(method, to: "https://api.example.com", by: address)
                }
                #expect(error?.kind == .notConnected)
                #expect(error?.reason.contains(words) == true, "\(error?.reason ?? "")")
                #expect(error?.reason.contains("hunter2") == false)
            }
        }
    }

    @Test func `Plain http goes through the proxy by CONNECT as well`() async throws {
        try await CannedServer.with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") { server in
            try await ConnectProxy.with { proxy in
                let response = try await send(to: server.url, by: ProxyServer(host: "127.0.0.1", port: proxy.port))
                #expect(response.status == 200)
                #expect(proxy.heads.first?.hasPrefix("CONNECT 127.0.0.1:") == true)
            }
        }
    }

    private static let html = "<html><body>This network wants you to log in.</body></html>"

    @Test(arguments: [
        ("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 59\r\n\r\n\(html)", "would not connect"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 59\r\n\r\n\(html)", "proxy"),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "would not connect"),
        ("220 mail.example.com ESMTP\r\n", "closed the connection, or does not speak HTTP"),
        ("", "closed the connection"),
    ])
    func `A proxy that answers a page, or no HTTP at all, is named`(answer: String, words: String) async throws {
        for method in [APIRequest.Method.get, .post] {
            try await CannedServer.with(answer, then: .close) { server in
                let port = try #require(URLComponents(string: server.url)?.port)
                let address = ProxyServer(host: "127.0.0.1", port: port)
                let error = await #expect(throws: TransportError.self) {
                    _ = try await send(method, to: "https://api.example.com", by: address)
                }
                #expect(error?.kind == .notConnected)
                #expect(error?.reason.contains(words) == true, "\(error?.reason ?? "")")
                #expect(error?.reason.contains(address.description) == true, "\(error?.reason ?? "")")
            }
        }
    }

    @Test func `A proxy that is down, or has no address, is named`() async throws {
        for address in [
            ProxyServer(host: "127.0.0.1", port: 1), ProxyServer(host: String(repeating: "a", count: 64), port: 1),
        ] {
            for method in [APIRequest.Method.get, .post] {
                let error = await #expect(throws: TransportError.self) {
                    _ = try await send(method, to: "https://api.example.com", by: address)
                }
                #expect(error?.kind == .notConnected)
                #expect(
                    error?.reason.contains("no connection to the proxy \(address)") == true, "\(error?.reason ?? "")")
            }
        }
    }
}
