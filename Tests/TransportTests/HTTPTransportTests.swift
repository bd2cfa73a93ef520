import Foundation
import HTTPTypes
import Support
import Synchronization
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("HTTP", .timeLimit(.minutes(5)))
struct HTTPTransportTests {
    private func send(
        to url: String, limits: TransportLimits = .generous, clock: some Clock<Duration> = ContinuousClock(),
        capacity: Int = 1 << 20
    ) async throws -> APIResponse {
        try await HTTPTransport.withTransport(
            baseURL: url, connections: 2, limits: limits, room: BodyRoom(capacity: capacity), userAgent: "test/1.2.3",
            clock: clock
        ) { transport in
            let token = try #require(AccessToken("secret"))
            return try await ActionsClient(transport: transport, tokens: TokenSource(token)).fetchRun(
                storedActionID: UUID(uuidString: "4F4E0000-0000-4000-8000-00000000000A")!,
                runID: UUID(uuidString: "9B1D0000-0000-4000-8000-00000000000B")!
            ).1
        }
    }

    private func error(
        _ answer: String, then ending: CannedServer.Ending, limits: TransportLimits = .generous
    ) async throws -> TransportError? {
        try await CannedServer.with(answer, then: ending) { server in
            await #expect(throws: TransportError.self) { _ = try await send(to: server.url, limits: limits) }
        }
    }

    /// From the moment on in which the server has the request, no time is left.
    private func reasonOfTimeOut(_ answer: String, limits: TransportLimits = .generous) async throws -> String? {
        try await CannedServer.with(answer, then: .keepOpen) { server in
            let clock = HurriedClock { !server.received.isEmpty }
            let error = await #expect(throws: TransportError.self) {
                _ = try await send(to: server.url, limits: limits, clock: clock)
            }
            #expect(error?.kind == .timedOut)
            return error?.reason
        }
    }

    @Test("A run is asked for by path, token and version, and its answer comes as it was sent")
    func request() async throws {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-RateLimit-Limit: 60\r\n\r\n{}"
        try await CannedServer.with(answer) { server in
            let response = try await send(to: server.url + "/prefix")
            #expect(response.status == 200)
            #expect(response.body == Array("{}".utf8))
            #expect(response.headers[HTTPField.Name("x-ratelimit-limit")!] == "60")
            let request = try #require(server.received.first)
            #expect(
                request.hasPrefix(
                    "GET /prefix/actions/v1/stored-actions/4f4e0000-0000-4000-8000-00000000000a/runs/"
                        + "9b1d0000-0000-4000-8000-00000000000b HTTP/1.1\r\n"))
            #expect(request.contains("Authorization: Bearer secret\r\n"))
            #expect(request.contains("User-Agent: test/1.2.3\r\n"))
            #expect(request.contains("Accept-Encoding: gzip, deflate\r\n"))
        }
    }

    @Test("A redirect is not followed", arguments: [301, 302, 307, 308])
    func redirect(status: Int) async throws {
        try await CannedServer.with(
            "HTTP/1.1 \(status) Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        ) { server in
            let response = try await send(to: server.url)
            #expect(response.status == status)
            #expect(server.received.count == 1)
        }
    }

    @Test("Connection refused: the request surely never left")
    func refused() async throws {
        // Port 1 is nobody's here; one that was just given back may be somebody else's by now.
        let error = await #expect(throws: TransportError.self) { _ = try await send(to: "http://127.0.0.1:1") }
        #expect(error?.kind == .notConnected)
        #expect(error?.reason.contains("secret") == false)
    }

    @Test("The connection ends without an answer, or in the middle of one")
    func closed() async throws {
        #expect(try await error("", then: .close)?.kind == .connectionLost)
        #expect(
            try await error("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"stat", then: .close)?.kind
                == .connectionLost)
    }

    @Test("An error records whether an answer had begun")
    func answerBegan() async throws {
        #expect(try await error("", then: .close)?.answerBegan == false)
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"stat"
        #expect(try await error(half, then: .close)?.answerBegan == true)
    }

    @Test("A token that the API quotes in an error goes no further")
    func quotedToken() async throws {
        let body = #"{"errors": [{"code": "x", "detail": "token secret is bad", "meta": {"t": "secret"}}]}"#
        try await CannedServer.with("HTTP/1.1 401 No\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)") { server in
            let answer = try await HTTPTransport.withTransport(
                baseURL: server.url, connections: 1, limits: .generous, room: BodyRoom(capacity: 1000),
                userAgent: "test"
            ) { transport in
                let token = try #require(AccessToken("secret"))
                return try await ActionsClient(transport: transport, tokens: TokenSource(token)).fetchRun(
                    storedActionID: UUID(), runID: UUID()
                ).0
            }
            guard case .credentialsRefused(let errors) = answer else {
                Issue.record("401 is to be a refusal")
                return
            }
            #expect(errors.first?.detail == "token [token] is bad")
            #expect(errors.first?.meta.map { String(decoding: $0.bytes, as: UTF8.self) } == #"{"t": "[token]"}"#)
        }
    }

    @Test("A non-HTTP answer is an error like a broken connection")
    func garbage() async throws {
        #expect(try await error("220 mail.example.com ESMTP\r\n", then: .close)?.kind == .connectionLost)
    }

    @Test("A head that does not come, and a body that does not go on, are given up")
    func stalled() async throws {
        #expect(try await reasonOfTimeOut("") == "no byte came for 600 s")
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"stat"
        #expect(try await reasonOfTimeOut(half) == "no byte came for 600 s")
    }

    @Test("An answer that takes too long in all is given up though it moves")
    func total() async throws {
        var limits = TransportLimits.generous
        limits.total = .seconds(100)
        let reason = try await reasonOfTimeOut("HTTP/1.1 200 OK\r\n", limits: limits)
        #expect(reason == "the answer exceeded the total time limit")
    }

    @Test("A body over the limit is given up at the limit")
    func tooLarge() async throws {
        var limits = TransportLimits.generous
        limits.body = 1000
        let body = String(repeating: "x", count: 1001)
        #expect(
            try await error("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + body, then: .keepOpen, limits: limits)?
                .kind == .bodyTooLarge)
        try await CannedServer.with("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body.dropLast()) { server in
            let response = try await send(to: server.url, limits: limits)
            #expect(response.body.count == 1000)
        }
    }

    @Test("A body larger than the room that all share is taken alone")
    func largerThanRoom() async throws {
        let body = String(repeating: "x", count: 200_000)
        try await CannedServer.with("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + body) { server in
            let response = try await send(to: server.url, capacity: 1000)
            #expect(response.body.count == 200_000)
        }
    }

    @Test("A request of a task that is cancelled before is not sent")
    func cancelledBefore() async throws {
        try await CannedServer.with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") { server in
            let url = server.url
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await send(to: url)
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(server.received.isEmpty)
        }
    }

    @Test("A head is reported by itself only where the body has not come with it")
    func head() async throws {
        final class Heads: Sendable {
            let count = Atomic(0)
        }
        let heads = Heads()
        @Sendable func send(to url: String) async throws {
            try await HTTPTransport.withTransport(
                baseURL: url, connections: 1, room: BodyRoom(capacity: 1 << 20), userAgent: "test"
            ) { transport in
                _ = try await transport.send(.base) { _ in heads.count.add(1, ordering: .relaxed) }
            }
        }
        try await CannedServer.with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") { server in
            try await send(to: server.url)
            #expect(heads.count.load(ordering: .relaxed) == 0)
        }
        try await CannedServer.with("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}") { server in
            let url = server.url
            let task = Task { try await send(to: url) }
            while heads.count.load(ordering: .relaxed) == 0 { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test("A cancelled request ends as cancelled, never as a shorter body")
    func cancelled() async throws {
        try await CannedServer.with("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"stat") { server in
            let task = Task { try await send(to: server.url) }
            while server.received.isEmpty { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    private func head(_ status: Int, _ fields: String..., length: Int) -> [UInt8] {
        let fields = fields.map { $0 + "\r\n" }.joined()
        return Array("HTTP/1.1 \(status) X\r\n\(fields)Content-Length: \(length)\r\n\r\n".utf8)
    }

    @Test("A compressed answer is unpacked, within the limit of a body", arguments: ["gzip", "x-gzip", "deflate"])
    func compressed(coding: String) async throws {
        let packed = Compression.gzip.pack(Compression.repetitive(100_000))
        let answer = head(200, "Content-Encoding: \(coding)", length: packed.count) + packed
        try await CannedServer.with(answer) { server in
            let response = try await send(to: server.url)
            #expect(response.body == Compression.repetitive(100_000))
            var limits = TransportLimits.generous
            limits.body = 99_999
            let error = await #expect(throws: TransportError.self) {
                _ = try await send(to: server.url, limits: limits)
            }
            #expect(
                error == TransportError(.bodyTooLarge, "the answer is over the limit of 99999 bytes", answerBegan: true)
            )
        }
    }

    @Test("An answer that unpacks to over 200 times its size is refused before it has taken memory")
    func tooDense() async throws {
        let packed = Compression.gzip.pack([UInt8](repeating: 0, count: 12 << 20))
        let answer = head(200, "Content-Encoding: gzip", length: packed.count) + packed
        try await CannedServer.with(answer) { server in
            let error = await #expect(throws: TransportError.self) { _ = try await send(to: server.url) }
            #expect(error?.kind == .bodyTooLarge)
            #expect(error?.reason == "the answer unpacks to over 200 times its size")
        }
    }

    @Test(
        "A body that cannot be unpacked leaves its status standing, and is described in plain words",
        arguments: [
            ("gzip", Array("{}".utf8), "is not compressed, though Content-Encoding says gzip"),
            ("gzip", Compression.gzip.pack(Array("{}".utf8)).dropLast(), "has truncated compressed data"),
            ("br", Array("{}".utf8), "has the Content-Encoding br, which was not asked for"),
        ])
    func undecodable(coding: String, body: [UInt8], reason: String) async throws {
        for status in [200, 429, 503] {
            let answer = head(status, "Content-Encoding: \(coding)", length: body.count) + body
            try await CannedServer.with(answer) { server in
                let response = try await send(to: server.url)
                #expect(response.status == status)
                #expect(response.flaw == reason)
                guard status == 200 else { return }
                guard case .faulty(.malformedAnswer, let told, _, _) = RunAnswer(response, runID: UUID()) else {
                    Issue.record("a 200 that cannot be read is no result")
                    return
                }
                #expect(told == "200 with a body that \(reason)")
            }
        }
    }

    @Test(
        "A head that is not HTTP, too large or contradicts itself is described in plain words",
        arguments: [
            ("HTTP/1.1 200 OK\r\nX-Large: \(String(repeating: "x", count: 90_000))\r\n\r\n", "a header over 80 KiB"),
            (
                "HTTP/1.1 200 OK\r\n" + String(repeating: "X-Many: x\r\n", count: 300) + "\r\n",
                "over 256 headers"
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "Content-Length is not valid"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunks are not valid"
            ),
            ("220 mail.example.com ESMTP\r\n", "not an HTTP answer"),
            ("HTTP/1.1 200 OK\r\nContent-Le", "closed before the answer was complete"),
        ])
    func badHead(answer: String, words: String) async throws {
        let error = try await error(answer, then: .close)
        #expect(error?.kind == .connectionLost)
        #expect(error?.reason.contains(words) == true, "\(error?.reason ?? "")")
        #expect(error?.reason.contains("Error") == false)
    }

    @Test("A connection that the far side closes when it is used again is replaced at once")
    func closedInUse() async throws {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        try await CannedServer.with(answer, then: .closeSecond) { server in
            try await HTTPTransport.withTransport(
                baseURL: server.url, connections: 1, limits: .generous, room: BodyRoom(capacity: 1 << 20),
                userAgent: "test"
            ) { transport in
                for number in 1...5 {
                    let response = try await transport.send(APIRequest(method: .get, path: "/"))
                    #expect(response.status == 200)
                    // What left in vain counts as a request, though not as a try.
                    #expect(response.resent == (number == 1 ? 0 : 1))
                }
            }
            #expect(server.methodsByConnection.map(\.count) == [2, 2, 2, 2, 1])
            #expect(server.received.allSatisfy { !$0.contains(PoolWatch.header) })
        }
    }

    @Test("A new connection that is closed without an answer is not")
    func closedAtOnce() async throws {
        try await CannedServer.with("", then: .close) { server in
            await #expect(throws: TransportError.self) { _ = try await send(to: server.url) }
            #expect(server.received.count == 1)
        }
    }
}
