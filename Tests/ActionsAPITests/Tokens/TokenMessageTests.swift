import Foundation
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("What is said to the token endpoint, and what it answers")
struct TokenMessageTests {
    private let client = ClientCredentials(id: "me:1", secret: Secret("p&ss w=rd+é")!)

    private func text(_ request: APIRequest) -> String { String(decoding: request.body ?? [], as: UTF8.self) }

    @Test func `Client credentials by Basic: both halves are form-encoded first`() {
        let request = TokenRequest.request(.clientCredentials, client: client, by: .basic)
        #expect(text(request) == "grant_type=client_credentials&scope=external&audience=zapier.com")
        let pair = Data("me%3A1:p%26ss%20w%3Drd%2B%C3%A9".utf8).base64EncodedString()
        #expect(request.headers[.authorization] == "Basic \(pair)")
        #expect(request.headers[.contentType] == "application/x-www-form-urlencoded")
        #expect(request.method == .post && request.path.isEmpty)
    }

    @Test func `A refresh token with the client's fields`() {
        let request = TokenRequest.request(.refreshToken(Secret("r/1")!), client: client, by: .form)
        #expect(
            text(request) == "grant_type=refresh_token&refresh_token=r%2F1&client_id=me%3A1"
                + "&client_secret=p%26ss%20w%3Drd%2B%C3%A9")
        #expect(!request.headers.contains(.authorization))
    }

    private func answer(_ status: Int, _ body: String) -> TokenAnswer {
        TokenAnswer(APIResponse(status: status, body: Array(body.utf8)))
    }

    @Test(
        "How long a token lives",
        arguments: [
            (#""expires_in": 60"#, 60), (#""expires_in": "60""#, 60), (#""x": 1"#, 36_000),
            (#""expires_in": null"#, 36_000), (#""expires_in": 1e400"#, 36_000),
        ])
    func lifetime(field: String, seconds: Int) {
        let issued = IssuedToken(token: AccessToken("t")!, lifetime: .seconds(seconds))
        #expect(answer(200, #"{"access_token": "t", \#(field)}"#) == .issued(.init(issued: issued)))
    }

    @Test func `A new refresh token comes with it, or none`() {
        for (field, token) in [(#""r""#, Secret("r")), ("null", nil), (#""""#, nil)] {
            guard case .issued(let tokens) = answer(200, #"{"access_token": "t", "refresh_token": \#(field)}"#) else {
                Issue.record("\(field) is to be an answer")
                continue
            }
            #expect(tokens.refreshToken == token)
        }
    }

    @Test(
        "A new refresh token is read, whatever else the answer holds",
        arguments: [#""x": 1"#, #""access_token": null"#, #""access_token": "a b""#, "\"access_token\": \"\u{80}\""])
    func refreshTokenAlone(field: String) {
        #expect(
            answer(200, #"{\#(field), "refresh_token": "r"}"#) == .issued(.init(refreshToken: Secret("r"))))
    }

    @Test func `Bytes that are no UTF-8 beside the tokens do no harm; one in the refresh token ends it`() {
        func tokens(_ bytes: [UInt8], _ refresh: [UInt8] = []) -> TokenAnswer.Tokens? {
            let body =
                Array(#"{"access_token": "t", "user": ""#.utf8) + bytes + Array(#"", "refresh_token": "r"#.utf8)
                + refresh + Array(#""}"#.utf8)
            guard case .issued(let tokens) = TokenAnswer(APIResponse(status: 200, body: body)) else { return nil }
            return tokens
        }
        let read = tokens([0xe9])
        #expect(read?.issued?.token == AccessToken("t"))
        #expect(read?.refreshToken == Secret("r"))
        let broken = tokens([], [0xe9])
        #expect(broken?.issued?.token == AccessToken("t"))
        #expect(broken?.refreshToken == nil)
    }

    @Test(
        "A refusal is final, and described by its code alone",
        arguments: [
            (400, #"{"error": "invalid_grant", "error_description": "r-1 is old"}"#, "invalid_grant"),
            (401, #"{"error": "invalid_client"}"#, "invalid_client"), (401, "", nil), (400, "<html>", nil),
            (403, #"{"error": "access_denied"}"#, "access_denied"), (400, #"{"error": "two words"}"#, nil),
        ] as [(Int, String, String?)])
    func refusals(status: Int, body: String, code: String?) {
        #expect(answer(status, body) == .refused(status: status, code: code))
    }

    @Test(
        "Everything else is tried again",
        arguments: [
            (200, "{}"), (200, "<html>"), (200, #"{"access_token": "a b"}"#), (301, ""), (307, ""), (403, "<html>"),
            (404, "{}"), (408, ""), (425, ""), (429, "{}"), (500, ""), (503, #"{"error": "temporarily_unavailable"}"#),
        ])
    func failures(status: Int, body: String) {
        guard case .failed(let failure, _) = answer(status, body) else {
            Issue.record("\(status) \(body) is to be a failure")
            return
        }
        let decision = RetryPolicy().decision(after: failure, attempt: 1, retryAfter: nil, random: 0)
        #expect(decision != .giveUp)
    }

    @Test func `A secret shows itself nowhere`() {
        let secret = Secret("hunter2")!
        let holders: [Any] = [
            secret, ClientCredentials(id: "me", secret: secret), TokenRequest.Grant.refreshToken(secret),
            ProxyServer(host: "h", port: 1, user: "u", password: secret),
            TokenAnswer.Tokens(issued: IssuedToken(token: AccessToken("hunter2")!), refreshToken: secret),
        ]
        for holder in holders {
            var text = "\(holder) \(String(reflecting: holder))"
            dump(holder, to: &text)
            #expect(!text.contains("hunter2"), "\(text)")
        }
    }
}
