import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOHTTP2
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("HTTP/2", .timeLimit(.minutes(5)))
struct HTTP2Tests {
    /// GETs, so many at a time, and what came of each.
    private func get(
        _ count: Int, atOnce: Int = 8, from server: HTTP2Server, limits: TransportLimits = .generous,
        capacity: Int = 1 << 20
    ) async throws -> [Result<APIResponse, any Error>] {
        let route = HTTPRoute(trustRoots: TrustRoots(path: server.roots))
        return try await HTTPTransport.withTransport(
            baseURL: server.url, route: route, connections: atOnce, limits: limits, room: BodyRoom(capacity: capacity),
            userAgent: "test"
        ) { transport in
            await withTaskGroup(of: Result<APIResponse, any Error>.self) { group in
                var (begun, results) = (0, [Result<APIResponse, any Error>]())
                func begin() {
                    begun += 1
                    group.addTask {
                        do {
                            var response = try await transport.send(APIRequest(method: .get, path: "/"))
                            // Kept, it would keep the others waiting for room.
                            response.lease = nil
                            return .success(response)
                        } catch {
                            return .failure(error)
                        }
                    }
                }
                while begun < min(atOnce, count) { begin() }
                while let result = await group.next() {
                    results.append(result)
                    if begun < count { begin() }
                }
                return results
            }
        }
    }

    private func expectAnswers(_ results: [Result<APIResponse, any Error>], _ count: Int) {
        for case .failure(let error) in results { Issue.record(error) }
        #expect(
            results.compactMap { try? $0.get() }.filter { $0.status == 200 && $0.body == [123, 125] }.count == count)
    }

    @Test("A server that ends each connection by a GOAWAY loses no request", arguments: [20, 50], [1, 8, 32])
    func goAway(after count: Int, atOnce: Int) async throws {
        try await HTTP2Server.with(.init(goAwayAfter: count)) { server in
            expectAnswers(try await get(100, atOnce: atOnce, from: server), 100)
            #expect(server.connections >= 2)
        }
    }

    @Test("Nor does one that closes the connection at the same moment, as long as connections answer at all")
    func abruptGoAway() async throws {
        try await HTTP2Server.with(.init(goAwayAfter: 20, closesAbruptly: true)) { server in
            expectAnswers(try await get(100, atOnce: 1, from: server), 100)
            #expect(server.connections >= 5)
        }
    }

    @Test("A request that the server refuses to look at goes out again at once")
    func refusedStream() async throws {
        let behaviour = HTTP2Server.Behaviour(reaction: { $0 % 7 == 0 ? .reset(.refusedStream) : .answer })
        try await HTTP2Server.with(behaviour) { server in
            expectAnswers(try await get(60, from: server), 60)
            #expect(server.requests > 60)
        }
    }

    @Test("A server that refuses every request is given up as a lost connection, after four tries")
    func refusesAll() async throws {
        try await HTTP2Server.with(.init(reaction: { _ in .reset(.refusedStream) })) { server in
            let results = try await get(1, from: server)
            let error = #expect(throws: TransportError.self) { try results[0].get() }
            #expect(error?.kind == .connectionLost)
            #expect(error?.reason.contains("refused the request") == true)
            #expect(server.requests == 4)
        }
    }

    @Test(
        "A stream that is reset for another reason is a lost connection, never a cancellation",
        arguments: [HTTP2ErrorCode.protocolError, .internalError, .enhanceYourCalm], [false, true])
    func reset(code: HTTP2ErrorCode, inBody: Bool) async throws {
        try await HTTP2Server.with(.init(reaction: { _ in inBody ? .resetInBody(code) : .reset(code) })) { server in
            let results = try await get(2, atOnce: 1, from: server)
            for result in results {
                let error = #expect(throws: TransportError.self) { try result.get() }
                #expect(error?.kind == .connectionLost)
                #expect(error?.reason == "the server reset the request (HTTP/2 error \(code.networkCode))")
                #expect(error?.answerBegan == inBody)
            }
            #expect(server.requests == 2)
        }
    }

    @Test("An answer that breaks the rules of its own stream costs the others nothing")
    func oneBadStream() async throws {
        try await HTTP2Server.with(.init(reaction: { $0 == 5 ? .tooShort : .answer })) { server in
            let results = try await get(20, atOnce: 8, from: server)
            #expect(results.count { (try? $0.get())?.body == [123, 125] } == 19)
            #expect(server.requests == 20)
            #expect(server.connections == 1)
        }
    }

    @Test("A head that is too large is named, and holds up no request beside it")
    func largeHead() async throws {
        let behaviour = HTTP2Server.Behaviour(reaction: { $0 == 5 ? .headers(40) : .answer })
        try await HTTP2Server.with(behaviour) { server in
            let results = try await get(20, atOnce: 4, from: server)
            let errors = results.compactMap { result in
                if case .failure(let error) = result { error as? TransportError } else { nil }
            }
            #expect(errors.map(\.kind).allSatisfy { $0 == .connectionLost })
            #expect(errors.contains { $0.reason == "the answer is not valid HTTP/2, or its headers are over 16 KiB" })
        }
    }

    @Test("A server that takes one stream at a time answers all")
    func oneStream() async throws {
        try await HTTP2Server.with(.init(maximumStreams: 1)) { server in
            expectAnswers(try await get(60, atOnce: 20, from: server), 60)
            #expect(server.connections == 1)
        }
    }

    @Test("The pool is serving while a request is on a connection, not while it is in line")
    func serving() async throws {
        try await HTTP2Server.with(.init(reaction: { _ in .silence })) { server in
            let pool = PoolWatch()
            var configuration = HTTPClient.Configuration(HTTPRoute(trustRoots: TrustRoots(path: server.roots)))
            configuration.timeout.connect = .minutes(10)
            configuration.follow(by: pool)
            try await HTTPClient.withHTTPClient(configuration: configuration) { client in
                let number = pool.enter {}
                #expect(!pool.isServing)
                let exchange = Task {
                    var request = HTTPClientRequest(url: server.url)
                    request.headers.add(name: PoolWatch.header, value: "\(number)")
                    _ = try await client.execute(request, deadline: .distantFuture)
                }
                while server.requests == 0 { await Task.yield() }
                #expect(pool.isServing)
                pool.returnToLine(number)
                #expect(!pool.isServing)
                exchange.cancel()
                _ = await exchange.result
            }
        }
    }

    @Test("Large answers come whole though little of them may wait unread", arguments: [1, 8], [1_000, 64 << 20])
    func large(atOnce: Int, capacity: Int) async throws {
        try await HTTP2Server.with(.init(reaction: { .large(3_000_000 + $0) })) { server in
            let results = try await get(8, atOnce: atOnce, from: server, capacity: capacity)
            let sizes = try results.map { try $0.get().body.count }
            #expect(sizes.sorted() == (1...8).map { 3_000_000 + $0 })
        }
    }

    @Test(
        "A stream may hold 512 KiB unread, where the client would let it hold 8 MiB",
        arguments: [
            (8_388_608, 524_288), (8_323_073, 458_753), (8_126_464, 262_144), (8_126_463, nil), (4_194_304, nil),
        ] as [(Int, Int?)])
    func window(asked: Int, increment: Int?) {
        #expect(StreamWindow.increment(asked: asked) == increment)
    }

    @Test("A server that resets every request with CANCEL is given up as a lost connection, never as a cancellation")
    func cancelsAll() async throws {
        try await HTTP2Server.with(.init(reaction: { _ in .reset(.cancel) })) { server in
            let results = try await get(1, from: server)
            let error = #expect(throws: TransportError.self) { try results[0].get() }
            #expect(error?.kind == .connectionLost)
            #expect(server.requests == 1)
        }
    }
}
