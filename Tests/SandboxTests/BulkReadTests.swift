import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("Bulk reads")
struct BulkReadTests {
    @Test(
        "cursors go from page to page and end in the way of their kind",
        arguments: [
            (BulkCursors.strings, ["\"1\"", "\"2\"", "null"]),
            (.numbers, ["1", "2", "absent"]),
            (.opaque, ["\"after:1\"", "\"after:2\"", "\"\""]),
            (.bigNumbers, ["9007199254740993002", "9007199254740993003", "null"]),
        ])
    func cursors(_ cursors: BulkCursors, _ expected: [String]) {
        let told = (0..<3).map { index in
            BulkPage(chain: 7, pages: 3, rows: 2, cursors: cursors, index: index).nextPage?.text ?? "absent"
        }
        #expect(told == expected)
    }

    @Test("a page's run id holds all of it, and its ordinal changes no object")
    func ids() throws {
        let page = BulkPage(chain: 0xABCD, pages: 500, rows: 100, cursors: .opaque, index: 499)
        #expect(BulkPage(run: page.run(ordinal: 9)) == page)
        #expect(page.run(ordinal: 9) != page.run())
        let answers = RunAnswers(seed: 1)
        let first = try results(answers.answer(to: .init(action: "a", run: page.run())))
        let again = try results(answers.answer(to: .init(action: "a", run: page.run(ordinal: 9))))
        #expect(first.count == 100)
        #expect(first == again)
    }

    @Test("a cursor names its page in its own spelling and in no other; the first page is 0 to all")
    func spelling() {
        for cursors in BulkCursors.allCases {
            for index in [0, 1, 15, 999, 0xFFFF] { #expect(cursors.index(cursors.text(index)) == index) }
            #expect(cursors.index("0") == 0)
            for wrong in ["", "01", "-1", "65536", "after:", "after:x", "99999999999999999999", "-9223372036854775808"]
            {
                #expect(cursors.index(wrong) == nil)
            }
        }
        #expect(BulkCursors.strings.index("after:1") == nil && BulkCursors.opaque.index("1") == nil)
        #expect(BulkCursors.long.text(7).utf8.count == 5000)
        #expect(BulkCursors.urls.text(7).hasPrefix("https://"))
    }

    @Test("each start of a page is a run of its own, is counted, and leads on to the end")
    func following() async throws {
        try await RunningSandbox.with { sandbox in
            let action = "/actions/v1/stored-actions/\(ActionKind.readBulk.id(1))"
            let body = #"{"data":{"inputs":{"list":"x","chain":3,"pages":2,"rows":4},"page":"1"}}"#
            let first = try await sandbox.post("\(action)/run", body, "Authorization: Bearer sandbox-token")
            let second = try await sandbox.post("\(action)/run", body, "Authorization: Bearer sandbox-token")
            #expect(first.status == 201 && second.status == 201)
            let started = try #require(first.json?["data"] as? NSDictionary)
            #expect(started["type"] as? String == "run")
            let id = try #require((started["id"] as? String).flatMap { CodedID(parsing: $0) })
            #expect(first.body != second.body)
            #expect(BulkPage(run: id) == BulkPage(chain: 3, pages: 2, rows: 4, index: 1))
            let page = try await sandbox.get("\(action)/runs/\(id)")
            #expect(page.body.contains(#""position":7"#) && page.body.contains(#""next_page":null"#))
        }
    }

    @Test(
        "a page that was never given out, and a body that is no submission, are 400",
        arguments: [
            #"{"data":{"inputs":{},"page":"first"}}"#, #"{"data":{"page":"1"}}"#, #"{"data":{"inputs":{},"page":1}}"#,
            "{",
        ])
    func badSubmissions(_ body: String) async throws {
        try await RunningSandbox.with { sandbox in
            let path = "/actions/v1/stored-actions/\(ActionKind.readBulk.id(1))/run"
            let reply = try await sandbox.post(path, body, "Authorization: Bearer sandbox-token")
            #expect(reply.status == 400)
        }
    }

    private func results(_ answer: Answer) throws -> NSArray {
        let json = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? NSDictionary)
        return try #require((json["data"] as? NSDictionary ?? json)["results"] as? NSArray)
    }
}
