import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("Chains of pages")
struct ChainTests {
    private func chain(
        _ sandbox: RunningSandbox, _ course: BulkCourse, pages: UInt16 = 5, cursors: BulkCursors = .strings,
        times: Int = 0, at place: Int = 0
    ) -> ChainClient {
        let root = BulkPage(
            chain: 9, pages: pages, rows: 3, cursors: cursors, course: course, times: times, place: place)
        return ChainClient(sandbox: sandbox, root: root)
    }

    @Test(
        "cursors of every kind lead from the root to the end of their kind",
        arguments: zip(BulkCursors.allCases, ["null", "absent", "empty", "null", "absent", "null", "empty"]))
    func kinds(_ cursors: BulkCursors, _ end: String) async throws {
        try await RunningSandbox.with { sandbox in
            let followed = try await chain(sandbox, .plain, pages: 4, cursors: cursors).follow()
            #expect(followed.sizes == [3, 3, 3, 3] && followed.end == end)
            #expect(followed.cursors == (1...3).map(cursors.text))
        }
    }

    @Test("a chain can hand out its first cursor at once", arguments: [BulkCursors.strings, .numbers])
    func zero(_ cursors: BulkCursors) async throws {
        try await RunningSandbox.with { sandbox in
            let followed = try await chain(sandbox, .zeroCursor, cursors: cursors).follow(limit: 3)
            #expect(followed.cursors == ["0", "0"])
        }
    }

    @Test(
        "the last page of a circle hands out the cursor of page A again",
        arguments: [(0, ["1", "2", "0", "1"]), (1, ["1", "2", "1", "2"]), (15, ["1", "2", "2", "2"])])
    func circles(_ place: Int, _ cursors: [String]) async throws {
        try await RunningSandbox.with { sandbox in
            let followed = try await chain(sandbox, .circle, pages: 3, at: place).follow(limit: 5)
            #expect(followed.cursors == cursors && followed.end == "further")
        }
    }

    @Test(
        "pages can be empty and lead on: one, two in a row, all past the last, the root",
        arguments: [
            (BulkCourse.emptyPage, 0, [3, 3, 0, 3, 3], "null"), (.twoEmptyPages, 0, [3, 3, 0, 0, 3], "null"),
            (.emptyTail, 0, [3, 3, 3, 3, 3, 0, 0, 0], "further"), (.emptyPage, 3, [3, 3, 3, 0, 3], "null"),
            (.twoEmptyPages, 0xE, [0, 0, 3, 3, 3], "null"), (.emptyPage, 0xF, [0, 0, 0, 0, 0], "null"),
        ])
    func empties(_ course: BulkCourse, _ place: Int, _ sizes: [Int], _ end: String) async throws {
        try await RunningSandbox.with { sandbox in
            let followed = try await chain(sandbox, course, at: place).follow(limit: 8)
            #expect(followed.sizes == sizes && followed.end == end)
        }
    }

    @Test("an endless chain has rows on every page")
    func endless() async throws {
        try await RunningSandbox.with { sandbox in
            let followed = try await chain(sandbox, .endless, pages: 1).follow(limit: 30)
            #expect(followed.sizes == Array(repeating: 3, count: 30) && followed.end == "further")
        }
    }

    @Test(
        "a page is not there for T reads of each of its runs, and then it is; its neighbours are",
        arguments: [(BulkCourse.pendingPage, 202), (.waitingPage, 200), (.latePage, 404), (.failedPage, 500)])
    func laterPages(_ course: BulkCourse, _ status: Int) async throws {
        try await RunningSandbox.with { sandbox in
            let chain = chain(sandbox, course, times: 2)
            #expect(try await chain.statuses(chain.root.run(), 1) == [200])
            let neighbour = try await chain.start(1)
            #expect(try await chain.statuses(neighbour, 1) == [200])
            for _ in 0..<2 {
                let run = try await chain.start(2)
                #expect(try await chain.statuses(run, 2) == [status, status])
                let page = try await chain.get(run)
                #expect(page.status == 200)
                #expect((ChainClient.result(page)?["results"] as? [Any])?.count == 3)
                #expect(ChainClient.result(page)?["next_page"] as? String == "3")
            }
            let finals = try await sandbox.get("/sandbox/finals", token: nil).json
            #expect(finals?.allValues as? [Int] == [1, 1, 1, 1])
        }
    }

    @Test("a page that waits says so, without rows and without a cursor, forever when T is 0")
    func waiting() async throws {
        try await RunningSandbox.with { sandbox in
            let chain = chain(sandbox, .waitingPage, at: 0xF)
            for _ in 0..<5 {
                let page = ChainClient.result(try await chain.get(chain.root.run()))
                #expect(page?["status"] as? String == "waiting" && page?["next_page"] == nil)
            }
        }
    }

    @Test(
        "the first T runs of a page come to nothing, on every read; a further run holds it",
        arguments: [
            (BulkCourse.errorPage, 200, #""code":"partner""#), (.throttledPage, 200, #""code":"throttled""#),
            (.systemThrottledPage, 200, #""code":"system_throttled""#), (.rejectedPage, 400, "bad_request"),
            (.forbiddenPage, 403, "permission_denied"), (.expiredPage, 404, "not_found"),
        ])
    func lostRuns(_ course: BulkCourse, _ status: Int, _ body: String) async throws {
        try await RunningSandbox.with { sandbox in
            let chain = chain(sandbox, course, times: 1, at: 1)
            let lost = try await chain.start(1)
            for _ in 0..<3 {
                let reply = try await chain.get(lost)
                #expect(reply.status == status && reply.body.contains(body))
                if status == 200 { #expect(reply.body.contains(#""status":"error""#)) }
                if body.contains("throttled") { #expect(reply.body.contains(#""delay":1,"#)) }
            }
            let page = ChainClient.result(try await chain.get(try await chain.start(1)))
            #expect(page?["status"] as? String == "success" && page?["next_page"] as? String == "2")
        }
    }

    @Test("with T 0 the runs of a page never come to anything", arguments: [BulkCourse.expiredPage, .errorPage])
    func lostForEver(_ course: BulkCourse) async throws {
        try await RunningSandbox.with { sandbox in
            let chain = chain(sandbox, course)
            for _ in 0..<3 {
                let reply = try await chain.get(try await chain.start(2))
                #expect(reply.status == 404 || reply.body.contains(#""status":"error""#))
            }
        }
    }

    @Test("a code of no course or no cursors is no run", arguments: ["20b0ff00", "20b000ff", "20b10000"])
    func unknownCodes(_ code: String) async throws {
        try await RunningSandbox.with { sandbox in
            let id = try #require(CodedID(parsing: "\(code)-0003-4000-8000-000100000004"))
            #expect(try await sandbox.run(id).status == 404)
        }
    }
}
