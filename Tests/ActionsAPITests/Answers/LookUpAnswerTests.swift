import Foundation
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("What an answer to the look-up of a stored action means")
struct LookUpAnswerTests {
    static let actionID = UUID(uuidString: "4f4e0000-0000-4000-8000-00000000000a")!
    static let id = #""id": "4F4E0000-0000-4000-8000-00000000000a""#
    static let action =
        #"{"type": "stored_action", \#(id), "action_type": "read_bulk", "action_key": "k", "selected_api": "A@1"}"#
    static let denied = #"{"errors": [{"code": "permission_denied", "detail": "No"}]}"#
    static let html = "<html><body>Not here</body></html>"

    private func answer(_ status: Int, _ body: String = "") -> LookUpAnswer {
        LookUpAnswer(APIResponse(status: status, body: Array(body.utf8)), storedActionID: Self.actionID)
    }

    private func known(_ body: String) -> StoredActionDescription? {
        if case .known(let description) = answer(200, body) { description } else { nil }
    }

    private func fault(_ answer: LookUpAnswer) -> (failure: RetryPolicy.Failure, reason: String)? {
        if case .faulty(let failure, let reason) = answer { (failure, reason) } else { nil }
    }

    @Test(
        "A stored action may be flat or under data",
        arguments: [action, #"{"data": \#(action)}"#, #"{"id": "a-request", "data": \#(action)}"#])
    func known(body: String) {
        #expect(
            known(body) == StoredActionDescription(actionType: "read_bulk", actionKey: "k", selectedAPI: "A@1"))
    }

    @Test(
        "A value that is missing is nil, and an unknown type is kept",
        arguments: [
            (#"{"type": "stored_action"}"#, nil),
            ("{\(id)}", nil),
            (#"{"data": {\#(id)}}"#, nil),
            (#"{"action_type": "search"}"#, "search"),
            (#"{"action_type": "brand_new", "id": null}"#, "brand_new"),
            (#"{"action_type": null, \#(id)}"#, nil),
            (#"{"action_type": 7, \#(id)}"#, nil),
        ] as [(String, String?)])
    func partly(body: String, type: String?) {
        #expect(known(body) == StoredActionDescription(actionType: type))
    }

    @Test(
        "A 200 that is no description of this action is faulty",
        arguments: [
            ("", "200 with an empty body"),
            ("{}", "200 with JSON that is not a stored action"),
            ("[]", "200 with JSON that is not a stored action"),
            (#"{"message": "maintenance"}"#, "200 with JSON that is not a stored action"),
            (#"{"type": "run"}"#, "200 with JSON that is not a stored action"),
            (#"{"data": [\#(action)]}"#, "200 with JSON that is not a stored action"),
            (
                #"{"id": "4f4e0000-0000-4000-8000-00000000000b", "action_type": "read_bulk"}"#,
                "200 with another stored action"
            ),
            (#"{"id": "7", "action_type": "read_bulk"}"#, "200 with another stored action"),
            (#"{"id": 7, "action_type": "read_bulk"}"#, "200 with another stored action"),
        ])
    func malformed(body: String, reason: String) {
        let fault = fault(answer(200, body))
        #expect(fault?.failure == .malformedAnswer)
        #expect(fault?.reason == reason)
    }

    @Test("A 200 that is not JSON is faulty")
    func noJSON() {
        let fault = fault(answer(200, Self.html))
        #expect(fault?.failure == .malformedAnswer)
        #expect(fault?.reason.hasPrefix("200 with a body that is not JSON: ") == true)
    }

    @Test(
        "A 403, 404 or 410 with the API's error body is a refusal, without one it is faulty",
        arguments: [403, 404, 410])
    func refused(status: Int) {
        for (body, codes) in [
            (Self.denied, ["permission_denied"]), (#"{"errors": [{"code": "other"}]}"#, ["other"]),
            (#"{"errors": []}"#, []),
        ] {
            guard case .refused(status, let errors) = answer(status, body) else {
                Issue.record("\(status) \(body): \(answer(status, body))")
                continue
            }
            #expect(errors.map(\.code) == codes)
        }
        for body in ["", "{}", Self.html] {
            let fault = fault(answer(status, body))
            #expect(fault?.failure == .malformedAnswer)
            #expect(fault?.reason == "\(status) without the API's error body: from a proxy?")
        }
    }

    @Test("A 401, and a 403 that says so, refuse the credentials; a page of a proxy does not")
    func credentials() {
        let failed = #"{"errors": [{"code": "authentication_failed"}]}"#
        #expect(fault(answer(401, Self.html))?.reason == "401 without the API's error body: from a proxy?")
        for (status, body, count) in [(401, failed, 1), (401, "", 0), (403, failed, 1)] {
            guard case .credentialsRefused(let errors) = answer(status, body) else {
                Issue.record("\(status) \(body): \(answer(status, body))")
                continue
            }
            #expect(errors.count == count)
        }
    }

    @Test("A 429 throttles", arguments: ["", html, denied, action])
    func throttled(body: String) {
        if case .throttled = answer(429, body) {} else { Issue.record("\(answer(429, body))") }
    }

    @Test(
        "Any other status is faulty, whatever the body",
        arguments: [202, 204, 302, 308, 400, 405, 408, 409, 422, 425, 500, 502, 503, 504])
    func otherStatus(status: Int) {
        for body in ["", Self.html, Self.denied, Self.action] {
            let fault = fault(answer(status, body))
            #expect(fault?.failure == .status(status))
            #expect(fault?.reason == "the API answered \(status)")
        }
    }

    @Test("The token does not stand in the errors", arguments: [401, 403, 404])
    func redacted(status: Int) throws {
        let token = try #require(AccessToken("secret-token"))
        let body = Array(#"{"errors": [{"code": "c", "detail": "by secret-token", "meta": ["secret-token"]}]}"#.utf8)
        let answer = LookUpAnswer(
            APIResponse(status: status, body: body), storedActionID: Self.actionID, redactedBy: token)
        #expect("\(answer)".contains("by [token]"))
        #expect(!"\(answer)".contains("secret"))
    }
}
