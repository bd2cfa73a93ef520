import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("The token endpoint")
struct TokenTests {
    private let path = Route.path(action: ActionKind.read.id(1), run: Scenario.success.id(2))
    private let credentials = "grant_type=client_credentials&scope=external&audience=zapier.com"
    private let formClient = "client_id=sandbox-client&client_secret=sandbox-secret"

    @Test("client credentials by Basic or as form fields give a token that opens the API until it expires")
    func clientCredentials() async throws {
        try await RunningSandbox.with(Settings(tokenLifetime: 60)) { sandbox in
            let basic = Data("sandbox-client:sandbox-secret".utf8).base64EncodedString()
            let first = try await sandbox.post("/oauth/token/", credentials, "Authorization: Basic \(basic)")
            let second = try await sandbox.post("/oauth/token/", "\(credentials)&\(formClient)")
            #expect(first.status == 200 && second.status == 200)
            #expect(first.json?["expires_in"] as? Int == 60 && first.json?["refresh_token"] == nil)
            let token = try #require(first.json?["access_token"] as? String)
            #expect(try await sandbox.get(path, token: token).status == 200)
            #expect(token != second.json?["access_token"] as? String)
            sandbox.time.advance(by: 60)
            #expect(try await sandbox.get(path, token: token).status == 401)
        }
    }

    @Test("a refresh token works once: the answer holds the next one, and the old one is dead")
    func rotation() async throws {
        try await RunningSandbox.with { sandbox in
            func refresh(_ token: String) async throws -> RunningSandbox.Reply {
                try await sandbox.post("/oauth/token/", "grant_type=refresh_token&refresh_token=\(token)&\(formClient)")
            }
            let first = try await refresh("sandbox-refresh-0")
            let next = try #require(first.json?["refresh_token"] as? String)
            let again = try await refresh("sandbox-refresh-0")
            #expect(again.status == 400 && again.body.contains("invalid_grant"))
            let second = try await refresh(next)
            let token = try #require(second.json?["access_token"] as? String)
            #expect(try await sandbox.get(path, token: token).status == 200)
            #expect(try await sandbox.get("/sandbox/stats", token: nil).json?["tokens"] as? Int == 3)
        }
    }

    @Test(
        "each wrong request has its OAuth error",
        arguments: [
            ("grant_type=client_credentials&client_id=sandbox-client&client_secret=no", "invalid_client"),
            ("grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret", "invalid_scope"),
            ("grant_type=password&client_id=sandbox-client&client_secret=sandbox-secret", "unsupported_grant_type"),
            ("client_id=sandbox-client&client_secret=sandbox-secret", "invalid_request"),
        ])
    func refusals(_ form: String, _ error: String) async throws {
        try await RunningSandbox.with { sandbox in
            let reply = try await sandbox.post("/oauth/token/", form)
            #expect(reply.json?["error"] as? String == error)
            #expect(reply.status == (error == "invalid_client" ? 401 : 400))
        }
    }
}
