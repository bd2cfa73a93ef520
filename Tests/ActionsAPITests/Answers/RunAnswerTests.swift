import Foundation
import HTTPTypes
import JSONText
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("Decoding the answers of the API")
struct RunAnswerTests {
    static let runID = UUID(uuidString: "9b1d0000-0000-4000-8000-000000000001")!

    static func result(_ body: String) throws -> RunResult { try result(Array(body.utf8)) }

    static func result(_ body: [UInt8]) throws -> RunResult {
        let answer = RunAnswer(APIResponse(status: 200, body: body), runID: runID)
        switch answer {
        case .finished(_, let result), .waiting(let result): return result
        default: throw Unexpected(answer: "\(answer)")
        }
    }

    struct Unexpected: Error { var answer: String }

    private func text(_ value: JSONValue) -> String { String(decoding: value.bytes, as: UTF8.self) }

    @Test("The example of the API's own description")
    func example() throws {
        let result = try Self.result(
            #"{"type": "run", "status": "success", "results": [{"key": "value"}], "next_page": "0", "errors": []}"#)
        #expect(result.type == "run")
        #expect(result.status == "success")
        #expect(result.nextPage == "0")
        #expect(result.results.map(text) == [#"{"key": "value"}"#])
        #expect(result.errors.isEmpty)
        #expect(result.unknownFields.object() == nil)
    }

    @Test("The body may be flat or under data")
    func enveloped() throws {
        let result = try Self.result(
            #"{"data": {"id": "9B1D0000-0000-4000-8000-000000000001", "status": "success", "results": [1, 2], "errors": []}}"#
        )
        #expect(result.results.count == 2)
        #expect(result.id == "9B1D0000-0000-4000-8000-000000000001")
    }

    @Test("Errors may stand beside data")
    func errorsBesideData() throws {
        let body = #"{"data": {"status": "success", "results": [1], "a": 1}, "errors": [{"code": "user"}], "b": 2}"#
        let result = try Self.result(body)
        #expect(result.results.map(\.int) == [1])
        #expect(result.errors.map(\.code) == ["user"])
        #expect(result.unknownFields.object().map { String(decoding: $0, as: UTF8.self) } == #"{"a":1,"b":2}"#)
    }

    @Test("A flat result may have a field called data")
    func flatWithData() throws {
        let result = try Self.result(#"{"status": "success", "errors": [], "data": {"status": "error"}}"#)
        #expect(result.status == "success")
        #expect(
            result.unknownFields.object().map { String(decoding: $0, as: UTF8.self) }
                == #"{"data":{"status": "error"}}"#)
    }

    @Test(
        "The cursor is a string, a number kept as written, or none",
        arguments: [
            (#""abc""#, "abc"), ("2", "2"), ("12345678901234567890", "12345678901234567890"), ("1.50", "1.50"),
            ("null", nil), (#""""#, nil), (#""\u0061/é""#, "a/é"),
        ] as [(String, String?)])
    func cursor(json: String, cursor: String?) throws {
        #expect(try Self.result(#"{"status": "success", "errors": [], "next_page": \#(json)}"#).nextPage == cursor)
        #expect(try Self.result(#"{"status": "success", "errors": []}"#).nextPage == nil)
    }

    @Test(
        "Results may be absent, null or hold anything",
        arguments: [
            ("", []), (#", "results": null"#, []), (#", "results": []"#, []),
            (#", "results": [1, "a", null, [2], {"b": 10.10}]"#, ["1", #""a""#, "null", "[2]", #"{"b": 10.10}"#]),
            (#", "results": {"only": 1}"#, [#"{"only": 1}"#]),
        ])
    func results(field: String, items: [String]) throws {
        #expect(try Self.result(#"{"status": "success", "errors": []\#(field)}"#).results.map(text) == items)
    }

    @Test("A partner's error, with what is unforeseen in it")
    func partnerErrors() throws {
        let sent = try Self.result(
            #"""
            {"status": "error", "results": [], "errors": [
              {"code": "throttled", "title": "T", "detail": "D", "delay": 45, "meta": {"a": [1.0]}, "hint": "H"},
              {"code": 7, "delay": "soon", "meta": null, "title": null},
              {"code": "never_heard_of"},
              "plain words"
            ]}
            """#
        ).errors
        let errors = Array(sent)
        #expect(errors.map(\.code) == ["throttled", nil, "never_heard_of", nil])
        #expect(errors.map(\.delay) == [45, nil, nil, nil])
        #expect(errors[0].title == "T")
        #expect(errors[0].detail == "D")
        #expect(errors[0].meta.map(text) == #"{"a": [1.0]}"#)
        #expect(
            errors.map { $0.extra.map { String(decoding: $0, as: UTF8.self) } }
                == [#"{"hint":"H"}"#, #"{"code":7,"delay":"soon"}"#, nil, #"{"value":"plain words"}"#])
    }

    @Test("An error of the API, with what is absent in it")
    func apiErrors() throws {
        let body = #"""
            {"errors": [
              {"status": 404, "code": "not_found", "title": "Resource not found.", "detail": "More.",
               "source": {"pointer": "/path", "parameter": "p", "header": "h"}, "meta": {"a": 1}},
              {"status": "404", "source": null, "meta": null},
              {}
            ]}
            """#
        let answer = RunAnswer(APIResponse(status: 404, body: Array(body.utf8)), runID: Self.runID)
        guard case .gone(let errors) = answer else { throw Unexpected(answer: "\(answer)") }
        #expect(errors.map(\.status) == [404, nil, nil])
        #expect(errors[0].code == "not_found")
        #expect(errors[0].title == "Resource not found.")
        #expect(errors[0].detail == "More.")
        #expect(errors[0].sourcePointer == "/path")
        #expect(errors[0].sourceParameter == "p")
        #expect(errors[0].sourceHeader == "h")
        #expect(errors[0].meta.map(text) == #"{"a": 1}"#)
        #expect(errors[1].meta == nil)
    }

    @Test("Of a key that occurs twice the last one counts")
    func duplicateKeys() throws {
        #expect(try Self.result(#"{"status": "error", "errors": [], "status": "success"}"#).status == "success")
    }

    @Test(
        "What stands before the last one of a key is kept as it was written, known field or not",
        arguments: [
            (
                #"{"status": "waiting", "status": "error", "errors": [], "status": "success"}"#,
                #"{"status":"waiting","status":"error"}"#
            ),
            (
                #"{"results": [1], "errors": [], "a": 1, "results": [2], "\u0061": 2}"#,
                #"{"results":[1],"a":1,"\u0061":2}"#
            ),
            (
                #"{"next_page": "1", "next_page": null, "results": [], "errors": [{"code": "x"}], "errors": null}"#,
                #"{"next_page":"1","errors":[{"code": "x"}]}"#
            ),
            (
                #"{"data": {"results": [1]}, "errors": [3], "data": {"results": [2], "id": null, "id": null}, "errors": []}"#,
                #"{"id":null,"data":{"results": [1]},"errors":[3]}"#
            ),
            (
                #"{"data": {"status": "success", "errors": []}, "errors": [{"code": "x"}]}"#,
                #"{"errors":[{"code": "x"}]}"#
            ),
        ])
    func shadowedMembers(body: String, extra: String) throws {
        let result = try Self.result(body)
        #expect(result.errors.isEmpty)
        #expect(result.unknownFields.object().map { String(decoding: $0, as: UTF8.self) } == extra)
    }

    @Test("Unknown keys keep their spelling, half a character and broken UTF-8 included")
    func spelling() throws {
        let result = try Self.result(
            Array(#"{"errors": [], "\ud800": 1, ""#.utf8) + [0xFF] + Array(#"": "\u0000"}"#.utf8))
        #expect(result.unknownFields.object() == Array(#"{"\ud800":1,""#.utf8) + [0xFF] + Array(#"":"\u0000"}"#.utf8))
    }

    @Test("Broken UTF-8 inside strings is data; outside of them the answer is no JSON")
    func brokenUTF8() throws {
        let sent: [UInt8] = [UInt8(ascii: "\""), 0xFF, UInt8(ascii: "\"")]
        let result = try Self.result(Array(#"{"errors": [], "results": ["#.utf8) + sent + Array("]}".utf8))
        #expect(result.results.map { Array($0.bytes) } == [sent])
        #expect(throws: Unexpected.self) {
            try Self.result(Array(#"{"errors": [], "results": ["#.utf8) + [0xFF] + Array("]}".utf8))
        }
        let gone = Array(#"{"errors": [{"code": "not_found", "title": "#.utf8) + sent + Array("}]}".utf8)
        let answer = RunAnswer(APIResponse(status: 404, body: gone), runID: Self.runID)
        guard case .gone(let errors) = answer else { throw Unexpected(answer: "\(answer)") }
        #expect(errors.map(\.title) == ["\u{FFFD}"])
    }

    @Test("A partner's error is also kept whole, as it was sent")
    func wholePartnerErrors() throws {
        let body = #"{"results": [], "errors": [{"code": "x", "code": "\u0000",  "meta": {}}, "plain words"]}"#
        let errors = try Self.result(body).errors
        #expect(
            errors.compactMap(\.value).map(text) == [
                #"{"code": "x", "code": "\u0000",  "meta": {}}"#, #""plain words""#,
            ])
        #expect(errors.map(\.code) == ["\0", nil])
    }

    @Test("Nesting of a depth that breaks stacks is decoded like any other")
    func deep() throws {
        let nested = String(repeating: "[", count: 200_000) + String(repeating: "]", count: 200_000)
        let result = try Self.result(#"{"status": "success", "results": [\#(nested)], "errors": []}"#)
        #expect(result.results.map(\.bytes.count) == [400_000])
    }

    @Test("The token stands in nothing of a result but its results")
    func redacted() throws {
        let token = try #require(AccessToken("a/b+c="))
        let error = #"{"code": "a/b+c=", "title": "a\/b+c=", "detail": "x a/b+c=", "meta": ["a\/b+c="], "x": "a/b+c="}"#
        let body = #"{"status": "a/b+c=", "results": ["a/b+c="], "errors": [\#(error), "a/b+c="], "sent": "a/b+c="}"#
        let result = try #require(RunResult(try JSONValue(validating: Array(body.utf8)), redactedBy: token))
        #expect(result.status == "[token]")
        #expect(result.errors.map(\.code) == ["[token]", nil])
        #expect(result.errors.map(\.detail) == ["x [token]", nil])
        #expect(result.errors.allSatisfy { $0.meta == nil && $0.extra == nil } && result.unknownFields.object() == nil)
        #expect(result.results.map { Array($0.bytes) } == [Array(#""a/b+c=""#.utf8)])
        let response = APIResponse(status: 200, body: Array(body.utf8))
        #expect(!"\(RunAnswer(response, runID: UUID(), redactedBy: token))".contains("unknown status \"a/b"))
    }

    @Test(
        "The token is taken out of bytes in whatever spelling they have for it",
        arguments: [
            #"a/b+c=\d"#, #"a\/b+c=\\d"#, #"\u0061\u002fb\u002Bc\u003d\u005cd"#, #"a\\\/b\\u002bc=\\\\d"#,
            "a%2Fb%2bc%3D%5Cd", "%61/b+c=%5cd",
        ])
    func redactedInAnySpelling(spelling: String) throws {
        let token = try #require(AccessToken(#"a/b+c=\d"#))
        for (before, behind) in [("", ""), ("{\"x\": \"", "\"}"), ("a/b+c=", "%"), ("%a", "\\u00")] {
            let text = before + spelling + behind
            #expect(token.redacted(text) == before + "[token]" + behind)
            #expect(token.redacted(text + text) == before + "[token]" + behind + before + "[token]" + behind)
            #expect(token.occurs(in: text))
        }
        for other in [String(spelling.dropLast()), "", "a", "%", "\\", #"a\/b\u002"#, "a/b c=d"] {
            #expect(token.redacted(other) == other)
            #expect(!token.occurs(in: other))
        }
    }

    @Test("The token has no description")
    func token() throws {
        let token = try #require(AccessToken("secret-value"))
        for text in ["\(token)", String(describing: token), String(reflecting: token)] {
            #expect(!text.contains("secret"))
        }
        var dumped = ""
        dump(token, to: &dumped)
        #expect(!dumped.contains("secret"))
        #expect(token.authorization.value == "Bearer secret-value")
    }

    @Test(
        "What could not stand in a header is no token",
        arguments: ["", "a b", "a\n", "a\r\nX: y", "é", "\u{0}", "a\u{7f}"])
    func noToken(text: String) {
        #expect(AccessToken(text) == nil)
    }

    @Test(
        "A redirect is reported with the host it leads to, and nothing else of its address",
        arguments: [
            ("https://login.example.com/sso?token=x", "login.example.com"),
            ("//cdn.example.net:8443/a", "cdn.example.net"),
            ("/elsewhere", "the same host"), ("elsewhere", "the same host"), ("https://[::1]:9/", "[::1]"),
            ("HTTP://user:pass@Example.COM", "Example.COM"), ("https:///nowhere", "another address"),
            ("mailto:a@example.com", "another address"), ("https://exa\u{1B}[2Jmple.com/", "another address"),
            ("https://\(String(repeating: "a", count: 300)).example", "another address"),
            ("https://b\u{fc}cher.example/", nil),
        ] as [(String, String?)])
    func redirect(location: String, host: String?) {
        for status in [301, 302, 303, 307, 308] {
            let response = APIResponse(status: status, headers: HTTPFields(received: [("location", location)]))
            guard case .faulty(.status(status), let reason, _, _) = RunAnswer(response, runID: Self.runID) else {
                Issue.record("a redirect is no result")
                return
            }
            if let host {
                #expect(reason == "the API answered \(status), a redirect to \(host), which is not followed")
            } else {
                #expect(reason.utf8.allSatisfy { $0 < 0x80 })
            }
            #expect(!reason.contains("pass") && !reason.contains("token"))
        }
        #expect(APIResponse(status: 302).statusText == "302")
        #expect(APIResponse(status: 201, headers: [.location: location]).statusText == "201")
    }
}
