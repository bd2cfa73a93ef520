import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("Bulk reads")
struct BulkReadTests {
    @Test(
        "cursors go from page to page and end in the way of their kind",
        arguments: [
            (BulkPage.Cursors.strings, ["\"1\"", "\"2\"", "null"]),
            (.numbers, ["1", "2", "absent"]),
            (.opaque, ["\"after:1\"", "\"after:2\"", "\"\""]),
        ])
    func cursors(_ cursors: BulkPage.Cursors, _ expected: [String]) {
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
            let submissions = try await sandbox.get("/sandbox/submissions", token: nil)
            #expect(submissions.body == "{\"\(ActionKind.readBulk.id(1)) chain 3 page 1\":2}")
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
