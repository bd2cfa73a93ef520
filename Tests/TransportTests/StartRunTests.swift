import AsyncHTTPClient
import Foundation
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("POSTs over HTTP", .timeLimit(.minutes(5)))
struct StartRunTests {
    private static let actionID = UUID(uuidString: "4F4E0000-0000-4000-8000-00000000000A")!
    private static let runID = UUID(uuidString: "9B1D0000-0000-4000-8000-00000000000B")!
    private static let created = response(201, #"{"data": {"type": "run", "id": "\#(runID.lowercase)"}}"#)

    private static func response(_ status: Int, _ body: String) -> String {
        "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private func withClient<R>(
        _ url: String, connections: Int = 2, limits: TransportLimits = .generous,
        clock: some Clock<Duration> = ContinuousClock(), _ body: (ActionsClient) async throws -> R
    ) async throws -> R {
        try await HTTPTransport.withTransport(
            baseURL: url, connections: connections, limits: limits, room: BodyRoom(capacity: 1 << 20),
            userAgent: "test",
            clock: clock
        ) { transport in
            let token = try #require(AccessToken("secret-token"))
            return try await body(ActionsClient(transport: transport, tokens: TokenSource(token)))
        }
    }

    private func start(_ client: ActionsClient, inputs: String = "{}", page: String = "1") async throws -> StartAnswer {
        try await client.startRun(storedActionID: Self.actionID, inputs: Array(inputs.utf8), page: page).0
    }

    private func error(_ url: String, limits: TransportLimits = .generous) async throws -> TransportError? {
        await #expect(throws: TransportError.self) {
            _ = try await withClient(url, limits: limits) { try await start($0) }
        }
    }

    @Test("A page is asked for by path, token and type, and its run's id comes back")
    func request() async throws {
        try await CannedServer.with(Self.created) { server in
            let answer = try await withClient(server.url + "/prefix") { try await start($0) }
            guard case .started(Self.runID) = answer else {
                Issue.record("\(answer)")
                return
            }
            let request = try #require(server.received.first)
            #expect(
                request.hasPrefix(
                    "POST /prefix/actions/v1/stored-actions/4f4e0000-0000-4000-8000-00000000000a/run HTTP/1.1\r\n"))
            #expect(request.contains("Authorization: Bearer secret-token\r\n"))
            #expect(request.contains("Content-Type: application/json\r\n"))
            #expect(request.contains("Connection: close\r\n"))
            #expect(!request.lowercased().contains("transfer-encoding"))
        }
    }

    @Test(
        "The inputs go as they are, byte for byte, and the cursor as a JSON string",
        arguments: [
            ("{}", "1", #"{"data": {"inputs": {}, "page": "1"}}"#),
            (
                "{ \"a\" :\t1.50,\r\n \"b\":\"\\u00e9\u{e9}\" , \"a\": [ ] }", "0",
                "{\"data\": {\"inputs\": { \"a\" :\t1.50,\r\n \"b\":\"\\u00e9\u{e9}\" , \"a\": [ ] }, \"page\": \"0\"}}"
            ),
            ("{}", #"a"b\c/"#, #"{"data": {"inputs": {}, "page": "a\"b\\c/"}}"#),
            (
                "{}", "\u{0}\n\r\t\u{1f}\u{7f}",
                "{\"data\": {\"inputs\": {}, \"page\": \"\\u0000\\u000a\\u000d\\u0009\\u001f\u{7f}\"}}"
            ),
            (
                "{}", "e\u{301} \u{e9} 日本 😀\u{2028}",
                "{\"data\": {\"inputs\": {}, \"page\": \"e\u{301} \u{e9} 日本 😀\u{2028}\"}}"
            ),
            (
                "{}", "https://example.com/?a=1&b=%20\"}}, \"x\": {\"y\": \"",
                #"{"data": {"inputs": {}, "page": "https://example.com/?a=1&b=%20\"}}, \"x\": {\"y\": \""}}"#
            ),
        ])
    func body(inputs: String, page: String, body: String) async throws {
        try await CannedServer.with(Self.created) { server in
            _ = try await withClient(server.url) { try await start($0, inputs: inputs, page: page) }
            let request = try #require(server.received.first)
            let sent = try #require(request.split(separator: "\r\n\r\n", maxSplits: 1).last)
            // As bytes: strings that Unicode holds to be equivalent are equal.
            #expect(Array(sent.utf8) == Array(body.utf8))
            #expect(request.contains("Content-Length: \(body.utf8.count)\r\n"))
        }
    }

    @Test("A body of megabytes goes whole")
    func largeBody() async throws {
        let inputs = #"{"a": "\#(String(repeating: "x", count: 5 << 20))"}"#
        try await CannedServer.with(Self.created) { server in
            _ = try await withClient(server.url) { try await start($0, inputs: inputs) }
            #expect(server.received.first?.hasSuffix(inputs + #", "page": "1"}}"#) == true)
        }
    }

    @Test("Every POST has a connection of its own, and leaves an idle one to the GETs")
    func freshConnections() async throws {
        try await CannedServer.with(Self.created) { server in
            try await withClient(server.url) { client in
                _ = try await client.lookUp(storedActionID: Self.actionID)
                _ = try await start(client)
                _ = try await start(client)
                _ = try await client.lookUp(storedActionID: Self.actionID)
                _ = try await start(client)
            }
            #expect(server.methodsByConnection == [["GET", "GET"], ["POST"], ["POST"], ["POST"]])
        }
    }

    @Test("So have POSTs that leave together, more than there may be connections at once")
    func freshConnectionsAtOnce() async throws {
        try await CannedServer.with(Self.created) { server in
            try await withClient(server.url) { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<20 { group.addTask { _ = try await start(client) } }
                    try await group.waitForAll()
                }
            }
            #expect(server.methodsByConnection == Array(repeating: ["POST"], count: 20))
        }
    }

    @Test("Connection refused, or the host has no address: the POST surely never left")
    func notConnected() async throws {
        // No resolver needs to be asked for a label that is longer than any may be.
        for url in ["http://127.0.0.1:1", "http://\(String(repeating: "a", count: 64)).invalid"] {
            let error = try await error(url)
            #expect(error?.kind == .notConnected)
            #expect(error?.reason.contains("secret") == false)
        }
    }

    @Test("A TLS handshake that fails or is cut off comes before the POST")
    func noTLS() async throws {
        for ending in [CannedServer.Ending.hangUp, .greet] {
            try await CannedServer.with("220 mail.example.com ESMTP\r\n", then: ending) { server in
                let error = try await error(server.url.replacing("http:", with: "https:"))
                #expect(error?.kind == .notConnected)
            }
        }
    }

    @Test("A handshake that does not go on comes before the POST")
    func stalledTLS() async throws {
        var limits = TransportLimits.generous
        limits.connect = .milliseconds(100)
        try await CannedServer.with("") { server in
            let error = try await error(server.url.replacing("http:", with: "https:"), limits: limits)
            #expect(error?.kind == .notConnected)
        }
    }

    @Test("A POST that waited for a connection in vain never left")
    func noRoom() {
        let failures = TransportFailure(proxy: nil, limits: .generous)
        let failure = failures.error(HTTPClientError.getConnectionFromPoolTimeout, at: .inLine)
        let error = Departure().judged(failure) as? TransportError
        #expect(error == TransportError(.notConnected, "no connection to the API within 600 s"))
    }

    @Test("A POST that is cancelled while another has the only connection never left")
    func cancelledInLine() async throws {
        try await CannedServer.with("") { server in
            try await withClient(server.url, connections: 1) { client in
                let first = Task { try await start(client) }
                while server.received.isEmpty { await Task.yield() }
                let second = Task { try await start(client) }
                second.cancel()
                await #expect(throws: CancelledBeforeDeparture.self) { _ = try await second.value }
                first.cancel()
                await #expect(throws: CancellationError.self) { _ = try await first.value }
            }
            #expect(server.received.count == 1)
        }
    }

    @Test(
        "A server that takes the connection and hangs up may have had the POST, unless nothing was sent",
        arguments: 1...50)
    func hungUp(_: Int) async throws {
        try await CannedServer.with("", then: .hangUp) { server in
            let error = try await error(server.url)
            while server.isConnected { await Task.yield() }
            // Now and then the client notices before it has begun to send.
            #expect(error?.kind == (server.receivedBytes > 0 ? .connectionLost : .notConnected))
            #expect(error?.answerBegan == false)
        }
    }

    @Test("So may one that reads it, answers nothing or half, or no HTTP")
    func closed() async throws {
        let half = "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"data\""
        for (answer, began) in [("", false), (half, true), ("220 mail.example.com ESMTP\r\n", false)] {
            try await CannedServer.with(answer, then: .close) { server in
                let error = try await error(server.url)
                #expect(error?.kind == .connectionLost)
                #expect(error?.answerBegan == began)
                #expect(server.received.count == 1)
            }
        }
    }

    @Test("An answer that does not come, or does not go on, in time")
    func stalled() async throws {
        for answer in ["", "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"data\""] {
            try await CannedServer.with(answer) { server in
                let clock = HurriedClock { !server.received.isEmpty }
                let error = await #expect(throws: TransportError.self) {
                    _ = try await withClient(server.url, clock: clock) { try await start($0) }
                }
                #expect(error?.kind == .timedOut)
                #expect(error?.reason == "no byte came for 600 s")
            }
        }
    }

    @Test("A redirect is not followed: it would start a second run", arguments: [301, 302, 303, 307, 308])
    func redirect(status: Int) async throws {
        let answer = "HTTP/1.1 \(status) Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        try await CannedServer.with(answer) { server in
            guard case .inDoubt = try await withClient(server.url, { try await start($0) }) else {
                Issue.record("a redirect tells nothing")
                return
            }
            #expect(server.received.count == 1)
        }
    }

    @Test("A POST that is cancelled while it is on its way ends as cancelled")
    func cancelled() async throws {
        try await CannedServer.with("") { server in
            let task = Task { try await withClient(server.url) { try await start($0) } }
            while server.received.isEmpty { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
        }
    }

    @Test("A token that the API quotes goes no further")
    func quotedToken() async throws {
        let body = #"{"errors": [{"code": "x", "title": "secret-token is bad", "meta": {"t": "secret-token"}}]}"#
        for status in [400, 401, 404, 500] {
            try await CannedServer.with(Self.response(status, body)) { server in
                try await withClient(server.url) { client in
                    let started = try await start(client)
                    // A doubt keeps none of the API's words.
                    #expect("\(started)".contains("[token] is bad") == (status != 500))
                    #expect(!"\(started)".contains("secret"))
                    let lookedUp = try await client.lookUp(storedActionID: Self.actionID).0
                    #expect(!"\(lookedUp)".contains("secret"))
                }
            }
        }
    }

    @Test("A look-up is a GET of the stored action")
    func lookUp() async throws {
        let body = #"{"type": "stored_action", "action_type": "read_bulk"}"#
        try await CannedServer.with(Self.response(200, body)) { server in
            let (answer, response) = try await withClient(server.url) {
                try await $0.lookUp(storedActionID: Self.actionID)
            }
            #expect(response.status == 200)
            guard case .known(let action) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(action.actionType == "read_bulk")
            let request = try #require(server.received.first)
            #expect(
                request.hasPrefix(
                    "GET /actions/v1/stored-actions/4f4e0000-0000-4000-8000-00000000000a HTTP/1.1\r\n"))
            #expect(request.contains("Authorization: Bearer secret-token\r\n"))
        }
    }
}
