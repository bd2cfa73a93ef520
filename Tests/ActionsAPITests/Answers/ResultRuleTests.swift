import Foundation
import JSONText
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

/// A gateway's page in JSON, or the API's own trouble in a 200, must not be stored as a run's result: it would be
/// permanent.
@Suite("Which 200 is a result")
struct ResultRuleTests {
    private static func answer(_ body: String) -> RunAnswer {
        RunAnswer(APIResponse(status: 200, body: Array(body.utf8)), runID: RunAnswerTests.runID)
    }

    @Test(
        "An array of results, or one of errors that is empty or a partner's alone, flat or under data",
        arguments: [
            (#"{"results": []}"#, "success"), (#"{"data": {"results": [1]}}"#, "success"),
            (#"{"errors": []}"#, "success"), (#"{"data": {"errors": []}}"#, "success"),
            (#"{"data": {"status": "success"}, "errors": []}"#, "success"),
            (#"{"errors": [], "data": null}"#, "success"),
            (#"{"status": "success", "data": {"results": [1]}}"#, "success"),
            (#"{"status": "success", "errors": [], "data": {"results": [1]}}"#, "success"),
            (#"{"status": "error", "data": {"errors": []}}"#, "error"),
            (#"{"status": "success", "results": {"a": 1}, "errors": []}"#, "success"),
            (#"{"errors": [{"code": "user"}, {"title": "T"}, {"detail": "D"}]}"#, "error"),
            (#"{"data": {"errors": [{"code": 7}]}}"#, "error"),
            // An integer below 400, or what is not an integer, is not the status of a failed request.
            (#"{"errors": [{"code": "c", "status": 200}, {"code": "c", "status": "503"}]}"#, "error"),
            (#"{"results": [], "errors": [{"status": 503, "code": "service_unavailable"}, 0, {}]}"#, "error"),
            (#"{"status": "waiting"}"#, "waiting"), (#"{"data": {"status": "waiting"}}"#, "waiting"),
            (#"{"status": "waiting", "data": {"x": 1}}"#, "waiting"),
        ])
    func results(body: String, meaning: String) throws {
        switch Self.answer(body) {
        case .finished(let completion, _): #expect("\(completion)" == meaning)
        case .waiting: #expect(meaning == "waiting")
        case let other: Issue.record("\(body): \(other)")
        }
    }

    @Test(
        "Anything else is reported with its reason, and tried again where that may help",
        arguments: [
            (#"{"status": "success", "data": {"x": 1}}"#, #"neither results nor errors, and the status "success""#, 0),
            (#"{"status": "success"}"#, "neither results nor errors", 0),
            (#"{"data": {"status": "success"}}"#, "neither results nor errors", 0),
            (#"{"status": "error", "message": "upstream down"}"#, "neither results nor errors", 0),
            (#"{"status": "paused"}"#, "neither results nor errors", 0),
            (#"{"status": 503}"#, "neither results nor", 0),
            (#"{"status": "success", "results": null}"#, "neither results nor errors", 0),
            (#"{"status": "success", "results": {"a": 1}}"#, "neither results nor errors", 0),
            (#"{"status": "error", "errors": {"code": "c"}}"#, "neither results nor errors", 0),
            (#"{"status": "error", "errors": null}"#, "neither results nor errors", 0),
            (#"{"status": "error", "errors": "oops"}"#, "neither results nor errors", 0),
            (#"{"errors": [{"message": "Internal server error"}], "data": null}"#, "not a partner's", 0),
            (#"{"errors": [{"code": "user"}, {}]}"#, "not a partner's", 0),
            (#"{"errors": [{"code": null, "title": null}]}"#, "not a partner's", 0),
            (#"{"errors": [0, 0, 0]}"#, "not a partner's", 0), (#"{"errors": ["oops"]}"#, "not a partner's", 0),
            (#"{"errors": [[]]}"#, "not a partner's", 0), (#"{"message": "maintenance"}"#, "not a run's result", 0),
            (#"{"data": {"x": 1}}"#, "not a run's result", 0), (#"{"data": []}"#, "not a run's result", 0),
            (
                #"{"errors": [{"status": 503, "code": "service_unavailable", "title": "T"}]}"#,
                "the API's own error 503 service_unavailable", 503
            ),
            (#"{"status": "error", "errors": [{"status": 500, "code": "c"}]}"#, "the API's own error 500 c", 500),
            (#"{"data": {"errors": [{"status": 404, "code": "not_found"}]}}"#, "own error 404 not_found", 404),
            (#"{"errors": [{"code": "user"}, {"status": 400, "title": "T"}]}"#, "the API's own error 400", 400),
            (#"{"errors": [{"status": 500, "code": "a"}, {"status": 503, "code": "b"}]}"#, "own error 503 b", 503),
            (#"{"errors": [{"status": 401, "code": "authentication_failed"}]}"#, "own error 401", 401),
        ])
    func failures(body: String, reason: String, status: Int) {
        let answer = Self.answer(body)
        guard case .faulty(let failure, let told, _, alive: false) = answer else {
            Issue.record("\(body): \(answer)")
            return
        }
        #expect(told.hasPrefix("200 with ") && told.contains(reason))
        #expect(failure == (status == 0 ? .malformedAnswer : .status(status)))
        #expect(answer.effectiveStatus(200) == (status == 0 ? 200 : status))
    }

    @Test(
        "The API's own 429 in a 200 is one: the budget hears of it, and the run is asked for again",
        arguments: [
            #"{"errors": [{"status": 429, "code": "too_many_requests"}]}"#,
            #"{"status": "error", "errors": [{"status": 503, "code": "a"}, {"status": 429, "code": "b"}]}"#,
            #"{"data": {"errors": [{"status": 429}]}}"#,
        ])
    func throttled(body: String) {
        let answer = Self.answer(body)
        guard case .throttled(insideOK: true) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(answer.effectiveStatus(200) == 429)
    }

    @Test("The API's own errors in a 200 are kept, without the token")
    func kept() throws {
        let token = try #require(AccessToken("a/b+c="))
        let body = #"{"errors": [{"status": 503, "code": "c", "title": "T", "detail": "by a\/b+c="}]}"#
        let answer = RunAnswer(
            APIResponse(status: 200, body: Array(body.utf8)), runID: RunAnswerTests.runID, redactedBy: token)
        guard case .faulty(_, _, let errors, _) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(errors.map(\.code) == ["c"])
        #expect(errors.map(\.detail) == ["by [token]"])
    }

    @Test("Of an envelope with the status, its other fields count where the run has none")
    func envelope() throws {
        let body =
            #"{"status": "success", "next_page": "2", "id": "x", "data": {"id": null, "results": [1], "a": 1}, "b": 2}"#
        let result = try RunAnswerTests.result(body)
        #expect(result.status == "success")
        #expect(result.nextPage == "2")
        #expect(result.results.map(\.int) == [1])
        #expect(result.unknownFields.object().map { String(decoding: $0, as: UTF8.self) } == #"{"a":1,"id":"x","b":2}"#)
        let other = #"{"status": "success", "id": "9b1d0000-0000-4000-8000-000000000002", "data": {"results": []}}"#
        #expect(throws: RunAnswerTests.Unexpected.self) { try RunAnswerTests.result(other) }
    }

    @Test("Names that are as long as a body are cut off, and kept whole where there is room for them")
    func longNames() throws {
        let long = String(repeating: "x", count: 2 << 20)
        let result = try RunAnswerTests.result(#"{"type": "\#(long)", "next_page": "\#(long)", "results": []}"#)
        #expect(result.type == nil)
        #expect(result.unknownFields.object()?.count == long.utf8.count + 11)
        #expect(result.nextPage?.utf8.count ?? 0 < 200)
        #expect(result.cursorFault == "longer than 1 MiB")
        for body in [#"{"status": "\#(long)", "results": []}"#, #"{"id": "\#(long)", "results": []}"#] {
            guard case .faulty(_, let reason, _, _) = Self.answer(body) else {
                Issue.record("a name of 2 MiB is accepted")
                continue
            }
            #expect(reason.utf8.count < 200)
        }
    }
}
