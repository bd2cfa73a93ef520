import Foundation
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("What an answer to the POST of a page means")
struct StartAnswerTests {
    static let runID = UUID(uuidString: "9b1d0000-0000-4000-8000-000000000001")!
    static let id = #""id": "9b1d0000-0000-4000-8000-000000000001""#
    static let badRequest = #"{"errors": [{"status": 400, "code": "bad_request", "title": "Bad Request"}]}"#
    static let denied = #"{"errors": [{"code": "permission_denied", "detail": "Not enough permissions"}]}"#
    static let html = "<html><body>Denied</body></html>"

    private func answer(_ status: Int, _ body: String = "") -> StartAnswer {
        StartAnswer(APIResponse(status: status, body: Array(body.utf8)))
    }

    private func refusal(_ answer: StartAnswer) -> (codes: [String?], reason: String)? {
        if case .refused(let errors, let reason) = answer { (errors.map(\.code), reason) } else { nil }
    }

    private func doubt(_ answer: StartAnswer) -> String? {
        if case .inDoubt(let reason) = answer { reason } else { nil }
    }

    @Test("Any 2xx with a run's id started that run", arguments: [200, 201, 202, 203, 299])
    func started(status: Int) {
        for body in [
            #"{"data": {"type": "run", \#(Self.id)}}"#, #"{"type": "run", \#(Self.id)}"#, "{\(Self.id)}",
            #"{"id": "a-request", "data": {\#(Self.id)}}"#,
            #"{"data": null, \#(Self.id.uppercased().replacing("ID", with: "id"))}"#,
        ] {
            guard case .started(Self.runID) = answer(status, body) else {
                Issue.record("\(status) \(body): \(answer(status, body))")
                continue
            }
        }
    }

    @Test(
        "A 2xx without the id of a run is in doubt",
        arguments: [
            "", "{}", html, #"{"data": {"type": "run"}}"#, #"{"data": {"id": null}}"#, #"{"data": {"id": 7}}"#,
            #"{"data": {"id": "9b1d0000"}}"#, #"{"data": [{\#(id)}]}"#, #"{"data": {\#(id)}"#, #"["id"]"#,
        ])
    func startedWithoutID(body: String) {
        for status in [200, 201, 204] {
            #expect(doubt(answer(status, body)) == "\(status) without the id of a run")
        }
    }

    @Test("A 4xx is a refusal", arguments: [400, 402, 403, 404, 405, 409, 410, 413, 422, 499])
    func refused(status: Int) throws {
        let withErrors = try #require(refusal(answer(status, Self.badRequest)))
        #expect(withErrors.codes == ["bad_request"])
        #expect(withErrors.reason == "\(status) bad_request")
        for body in ["", Self.html, "{}"] {
            let without = try #require(refusal(answer(status, body)))
            #expect(without.codes.isEmpty)
            #expect(without.reason == "\(status) without the API's error body: from a proxy?")
        }
    }

    @Test(
        "A refusal's reason is the API's code, and none of its texts, which may quote inputs",
        arguments: [
            (denied, "403 permission_denied"),
            (#"{"errors": [{"title": "Two\nlines", "detail": "more"}, {"code": "second"}]}"#, "the API answered 403"),
            (#"{"errors": []}"#, "the API answered 403"),
            (#"{"errors": [{}]}"#, "the API answered 403"),
            (#"{"errors": ["plain words"]}"#, "the API answered 403"),
            (#"{"errors": [{"code": "inputs.list = leads"}]}"#, "the API answered 403"),
            (
                #"{"errors": [{"code": "\#(String(repeating: "x", count: 500))"}]}"#,
                "the API answered 403"
            ),
        ])
    func reason(body: String, reason: String) {
        #expect(refusal(answer(403, body))?.reason == reason)
    }

    @Test("A 401, and a 403 that says so, refuse the credentials; a page of a proxy does not")
    func credentials() {
        let failed = #"{"errors": [{"code": "authentication_failed"}]}"#
        #expect(refusal(answer(401, Self.html))?.reason == "401 without the API's error body: from a proxy?")
        for (status, body, count) in [(401, failed, 1), (401, "", 0), (403, failed, 1)] {
            guard case .credentialsRefused(let errors) = answer(status, body) else {
                Issue.record("\(status) \(body): \(answer(status, body))")
                continue
            }
            #expect(errors.count == count)
        }
    }

    @Test("After a 429 and a 503 none was started", arguments: ["", html, badRequest, "{\(id)}"])
    func later(body: String) {
        if case .throttled = answer(429, body) {} else { Issue.record("429: \(answer(429, body))") }
        if case .unavailable = answer(503, body) {} else { Issue.record("503: \(answer(503, body))") }
    }

    @Test(
        "Everything else is in doubt",
        arguments: [100, 300, 301, 302, 307, 308, 408, 425, 500, 501, 502, 504, 520, 599, 600])
    func inDoubt(status: Int) {
        #expect(doubt(answer(status)) == "\(status) without the API's error body: from a proxy?")
        #expect(doubt(answer(status, "{\(Self.id)}")) == "\(status) without the API's error body: from a proxy?")
        #expect(doubt(answer(status, Self.badRequest)) == "\(status) bad_request")
    }

    @Test("The token stands neither in the errors nor in a reason, cut off or whole")
    func redacted() throws {
        let token = try #require(AccessToken("secret-token"))
        let title = String(repeating: "x", count: 110) + "secret-token"
        let body = Array(#"{"errors": [{"code": "c", "title": "\#(title)", "meta": {"t": "secret-token"}}]}"#.utf8)
        for status in [400, 401, 500] {
            let answer = StartAnswer(APIResponse(status: status, body: body), redactedBy: token)
            #expect(!"\(answer)".contains("secret"))
        }
        let refused = StartAnswer(APIResponse(status: 400, body: body), redactedBy: token)
        guard case .refused(let errors, let reason) = refused else { throw Unexpected(answer: "\(refused)") }
        #expect(errors.first?.title == String(repeating: "x", count: 110) + "[token]")
        #expect(errors.first?.meta == nil)
        #expect(reason == "400 c")
    }

    @Test(
        "The token is found in whatever spelling JSON has for it",
        arguments: [#"a\/b+c="#, #"a/b\u002Bc\u003d"#, "a/b+c=\u{301}", "Bearer a/b+c=, a/b+c="])
    func redactedInAnySpelling(sent: String) throws {
        let token = try #require(AccessToken("a/b+c="))
        let body = Array(
            #"{"errors": [{"detail": "\#(sent)", "meta": {"sent": ["\#(sent)"]}}, {"meta": {"\#(sent)": 1}}]}"#.utf8)
        guard case .refused(let errors, _) = StartAnswer(APIResponse(status: 400, body: body), redactedBy: token)
        else { throw Unexpected(answer: "no refusal") }
        #expect(errors.map(\.meta?.bytes) == [nil, nil])
        let detail = try #require(errors.first?.detail)
        #expect(detail.utf8.starts(with: "[token]".utf8) || detail.hasPrefix("Bearer [token], [token]"))
    }

    struct Unexpected: Error { var answer: String }
}
