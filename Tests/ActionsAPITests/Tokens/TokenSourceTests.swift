import Foundation
import Synchronization
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("Getting tokens")
struct TokenSourceTests {
    private static let secret = "s3cret"
    private let token = #"{"access_token": "t-1", "expires_in": 600}"#

    private func source(
        _ transport: ScriptedTransport, attempts: Int = 3, slept: SleepLog = SleepLog(),
        onEvent: @escaping @Sendable (TokenSource.Event) -> Void = { _ in }
    ) -> TokenSource {
        let requests = TokenRequests()
        let endpoint = TokenEndpoint(
            transport: transport, client: ClientCredentials(id: "me", secret: Secret(Self.secret)!), requests: requests)
        return TokenSource(
            nil, issuer: ClientCredentialsGrant(endpoint: endpoint), retries: RetryPolicy(attempts: attempts),
            requests: requests, random: { 0 }, sleep: { slept.add($0) }, onEvent: onEvent)
    }

    /// The waits that would have been.
    private final class SleepLog: Sendable {
        private let state = Mutex<[Duration]>([])
        var all: [Duration] { state.withLock(\.self) }
        func add(_ duration: Duration) { state.withLock { $0.append(duration) } }
    }

    private func error(_ source: TokenSource) async -> TokenError? {
        await #expect(throws: TokenError.self) { _ = try await source.current() }
    }

    @Test func `However many ask at once, one request is made`() async throws {
        let transport = ScriptedTransport(ScriptedTransport.json(200, token))
        let source = source(transport)
        let tokens = try await withThrowingTaskGroup(of: AccessToken.self) { group in
            for _ in 1...50 { group.addTask { try await source.current() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(tokens.count == 50 && tokens.allSatisfy { $0 == AccessToken("t-1") })
        #expect(transport.asked.count == 1)
        #expect(source.requests.take() == [200])
    }

    @Test func `What becomes of a renewal is reported once when it fails, and once when it has worked`() async throws {
        let transport = ScriptedTransport(
            ScriptedTransport.failing(.timedOut), ScriptedTransport.json(503, ""), ScriptedTransport.json(200, token),
            ScriptedTransport.json(200, #"{"access_token": "t-2", "expires_in": 600}"#))
        let events = Mutex<[TokenSource.Event]>([])
        let source = source(transport, attempts: 4) { event in events.withLock { $0.append(event) } }
        let first = try await source.current()
        let told = events.withLock(\.self)
        #expect(told.count == 2)
        if case .delayed? = told.first {} else { Issue.record("\(told)") }
        #expect(told.last == .issued(isFirst: true, wasDelayed: true))
        #expect(await source.refused(first))
        _ = try await source.current()
        #expect(events.withLock(\.last) == .issued(isFirst: false, wasDelayed: false))
    }

    @Test func `Requests are counted, those that never left excepted`() async throws {
        let transport = ScriptedTransport(
            ScriptedTransport.failing(.notConnected), ScriptedTransport.failing(.timedOut),
            ScriptedTransport.json(503, ""), ScriptedTransport.json(200, token))
        let source = source(transport, attempts: 4)
        _ = try await source.current()
        #expect(source.requests.take() == [nil, 503, 200])
        #expect(source.requests.take() == [])
    }

    @Test func `A failure that may pass is tried again after its back-off, and no sooner than the server wants`()
        async throws
    {
        let slept = SleepLog()
        let transport = ScriptedTransport(
            ScriptedTransport.json(500, ""), ScriptedTransport.json(429, "", [.retryAfter: "7"]),
            ScriptedTransport.json(200, token))
        _ = try await source(transport, slept: slept).current()
        #expect(slept.all == [.milliseconds(250), .seconds(7)])
    }

    @Test func `After so many tries the endpoint counts as unreachable`() async throws {
        let transport = ScriptedTransport(ScriptedTransport.json(500, ""))
        let error = await error(source(transport))
        #expect(error?.kind == .unreachable)
        #expect(error?.reason.contains("500") == true)
        #expect(transport.asked.count == 3)
    }

    @Test func `A server that wants to be left alone for an hour is`() async throws {
        let transport = ScriptedTransport(ScriptedTransport.json(503, "", [.retryAfter: "3600"]))
        #expect(await error(source(transport))?.kind == .unreachable)
        #expect(transport.asked.count == 1)
    }

    @Test func `A refusal is not tried again, and quotes no secret`() async throws {
        let transport = ScriptedTransport(ScriptedTransport.json(400, #"{"error": "\#(Self.secret)"}"#))
        let error = await error(source(transport))
        #expect(error?.kind == .refused)
        #expect(error?.reason.contains(Self.secret) == false)
        #expect(transport.asked.count == 1)
    }

    @Test func `A refusal does not quote id and secret as they were sent either`() async throws {
        let pair = Data("me:\(Self.secret)".utf8).base64EncodedString()
        for code in [pair, pair.replacing("=", with: "")] {
            let transport = ScriptedTransport(ScriptedTransport.json(401, #"{"error": "\#(code)"}"#))
            #expect(await error(source(transport))?.reason == "the token endpoint answered 401")
        }
    }

    @Test func `A server without Basic authentication gets form fields, from then on at once`() async throws {
        let transport = ScriptedTransport(
            ScriptedTransport.json(401, #"{"error": "invalid_client"}"#), ScriptedTransport.json(200, token))
        let endpoint = TokenEndpoint(
            transport: transport, client: ClientCredentials(id: "me", secret: Secret(Self.secret)!),
            requests: TokenRequests())
        _ = try await endpoint.exchange(.clientCredentials)
        _ = try await endpoint.exchange(.clientCredentials)
        let bySecret = transport.asked.map { $0.contains("client_secret=\(Self.secret)") }
        #expect(bySecret == [false, true, true])
    }

    @Test func `Credentials that are wrong either way are refused after both`() async throws {
        let transport = ScriptedTransport(ScriptedTransport.json(401, #"{"error": "invalid_client"}"#))
        let error = await error(source(transport))
        #expect(error?.kind == .refused)
        #expect(error?.reason.contains("invalid_client") == true)
        #expect(transport.asked.count == 2)
    }

    private struct Unforeseen: Error {}

    /// Fails in ways that its protocol does not know.
    private struct Failing: TokenIssuer {
        let error: any Error
        func issue() throws -> IssuedToken { throw error }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [Unforeseen(), CancellationError()] as [any Error])
    func `An unexpected error ends the renewal, and the next call begins another`(error: any Error) async {
        let source = TokenSource(nil, issuer: Failing(error: error))
        for _ in 1...2 { #expect(await self.error(source)?.kind == .unreachable) }
    }

    @Test func `An unforeseen failure of the request is no cancellation`() async {
        let source = source(ScriptedTransport({ _ in throw Unforeseen() }))
        for _ in 1...2 { #expect(await error(source)?.kind == .unreachable) }
        #expect(source.requests.take() == [nil, nil])
    }

    @Test(.timeLimit(.minutes(1)))
    func `After a renewal that was cancelled the next call begins another`() async throws {
        let transport = ScriptedTransport(ScriptedTransport.json(500, ""), ScriptedTransport.json(200, token))
        let requests = TokenRequests()
        let endpoint = TokenEndpoint(
            transport: transport, client: ClientCredentials(id: "me", secret: Secret(Self.secret)!), requests: requests)
        let source = TokenSource(
            nil, issuer: ClientCredentialsGrant(endpoint: endpoint), requests: requests,
            sleep: { _ in try await Task.sleep(for: .seconds(600)) })
        let waiting = Task { try await source.current() }
        while transport.asked.isEmpty { await Task.yield() }
        await source.close()
        await #expect(throws: CancelledBeforeDeparture.self) { _ = try await waiting.value }
        #expect(try await source.current() == AccessToken("t-1"))
    }

    @Test func `Who waits for a token and is cancelled has sent nothing`() async throws {
        let transport = ScriptedTransport({ _ in
            try await Task.sleep(for: .seconds(600))
            throw CancellationError()
        })
        let source = source(transport)
        let waiting = Task { try await source.current() }
        while transport.asked.isEmpty { await Task.yield() }
        waiting.cancel()
        await #expect(throws: CancelledBeforeDeparture.self) { _ = try await waiting.value }
        await source.close()
    }

    @Test func `A refused token is renewed before the next request, and the answer says to ask again`() async throws {
        let api = ScriptedTransport(
            ScriptedTransport.json(401, ""), ScriptedTransport.json(202, ""), ScriptedTransport.json(401, ""))
        let tokens = ScriptedTransport(ScriptedTransport.json(200, token))
        let requests = TokenRequests()
        let endpoint = TokenEndpoint(
            transport: tokens, client: ClientCredentials(id: "me", secret: Secret(Self.secret)!), requests: requests)
        let client = ActionsClient(
            transport: api,
            tokens: TokenSource(
                AccessToken("t-0"), issuer: ClientCredentialsGrant(endpoint: endpoint), requests: requests))
        let answers = try await [
            client.fetchRun(storedActionID: UUID(), runID: UUID()).0,
            client.fetchRun(storedActionID: UUID(), runID: UUID()).0,
            client.fetchRun(storedActionID: UUID(), runID: UUID()).0,
        ]
        guard case .tokenEnded = answers[0], case .pending = answers[1], case .credentialsRefused = answers[2] else {
            Issue.record("\(answers)")
            return
        }
        let departed = api.requests.map { $0.headers[.authorization] }
        #expect(departed == ["Bearer t-0", "Bearer t-1", "Bearer t-1"])
    }

    @Test func `A POST whose token ended may be sent again`() async throws {
        let api = ScriptedTransport(
            ScriptedTransport.json(403, #"{"errors": [{"code": "authentication_failed"}]}"#))
        let client = ActionsClient(
            transport: api, tokens: TokenSource(AccessToken("t-0"), issuer: TokenFile(path: "/dev/null")))
        let answer = try await client.startRun(storedActionID: UUID(), inputs: Array("{}".utf8), page: "1").0
        guard case .tokenEnded = answer else {
            Issue.record("\(answer)")
            return
        }
        await #expect(throws: TokenError.self) {
            _ = try await client.startRun(storedActionID: UUID(), inputs: Array("{}".utf8), page: "1")
        }
        #expect(api.requests.count == 1)
    }
}
