import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("POSTs, and the runs they start")
struct SubmissionTests {
    private func chain(_ sandbox: RunningSandbox, _ course: BulkCourse, times: Int = 1) -> ChainClient {
        ChainClient(
            sandbox: sandbox, root: BulkPage(chain: 9, pages: 5, rows: 3, course: course, times: times, place: 2))
    }

    @Test(
        "a POST refused T times starts nothing; then it does",
        arguments: [
            (BulkCourse.postTooMany, 429, "too_many_requests"), (.postUnavailable, 503, "service_unavaiable"),
            (.postRejected, 400, "bad_request"), (.postForbidden, 403, "permission_denied"),
            (.postNotFound, 404, "not_found"),
        ])
    func refused(_ course: BulkCourse, _ status: Int, _ code: String) async throws {
        try await RunningSandbox.with { sandbox in
            let chain = chain(sandbox, course)
            let refused = try await chain.post(cursor: "2")
            #expect(refused.status == status && refused.body.contains(code))
            #expect(refused.headers["retry-after"] == ([429, 503].contains(status) ? "1" : nil))
            #expect(try await chain.counts() == [1, 0])
            let run = try await chain.start(2)
            #expect(run.ordinal == 1)
            #expect(try await chain.counts() == [2, 1])
        }
    }

    @Test(
        "a run is started though the answer says otherwise, or nothing",
        arguments: [
            (BulkCourse.startedServerError, 500), (.startedBadGateway, 502), (.startedGatewayTimeout, 504),
            (.startedWithoutID, 201), (.startedHTML, 200), (.startedLost, 0), (.startedCut, 201),
        ])
    func started(_ course: BulkCourse, _ status: Int) async throws {
        try await RunningSandbox.with { sandbox in
            let chain = chain(sandbox, course)
            let reply = try await chain.post(cursor: "2")
            #expect((reply.status ?? 0) == status)
            #expect(ChainClient.run(in: reply) == nil)
            #expect(reply.isWhole == (course != .startedLost && course != .startedCut))
            let line = try #require(try await chain.submissions().first)
            #expect(line["posts"] as? Int == 1 && line["runs_started"] as? Int == 1)
            let run = try #require((line["run_ids"] as? [String])?.first.flatMap { CodedID(parsing: $0) })
            #expect(try await chain.get(run).body.contains(#""next_page":"3""#))
            #expect(try await chain.start(2) != run)
        }
    }

    @Test("the other pages of such a chain are started in the ordinary way", arguments: BulkCourse.allCases)
    func neighbours(_ course: BulkCourse) async throws {
        try await RunningSandbox.with { sandbox in
            let reply = try await chain(sandbox, course, times: 0).post(cursor: "1")
            #expect((200...202).contains(reply.status ?? 0) && ChainClient.run(in: reply)?.ordinal == 1)
        }
    }

    @Test("the answers to POSTs vary from page to page in status and envelope, or as T says")
    func forms() async throws {
        try await RunningSandbox.with { sandbox in
            func forms(_ times: Int) async throws -> [String] {
                var forms: [String] = []
                for index in 0..<6 {
                    let reply = try await chain(sandbox, .startedForms, times: times).post(cursor: "\(index)")
                    #expect(ChainClient.run(in: reply) != nil)
                    forms.append("\(reply.status ?? 0) \(reply.json?["data"] == nil ? "flat" : "data")")
                }
                return forms
            }
            let varied = ["200 data", "201 flat", "202 data", "200 flat", "201 data", "202 flat"]
            let byTurns = try await forms(0)
            #expect(byTurns == varied)
            let fixed = try await forms(4)
            #expect(fixed == Array(repeating: "200 flat", count: 6))
        }
    }

    @Test("POSTs are distinguished by action, chain, cursor and inputs, and counted with their runs")
    func ledger() async throws {
        try await RunningSandbox.with { sandbox in
            let first = ChainClient(sandbox: sandbox, root: BulkPage(chain: 1, pages: 9, rows: 2))
            var second = ChainClient(sandbox: sandbox, root: BulkPage(chain: 2, pages: 9, rows: 2))
            second.action = ActionKind.read.id(7)
            let again = try await [first.start(1), first.start(1)]
            _ = try await (first.start(2), second.start(1))
            #expect(try await first.post(cursor: "no-such-page").status == 400)
            let lines = try await first.submissions()
            #expect(lines.map { $0["posts"] as? Int } == [1, 1, 2, 1])
            #expect(lines.map { $0["runs_started"] as? Int } == [1, 0, 2, 1])
            #expect(lines.map { $0["page"] as? String } == ["1", "no-such-page", "1", "2"])
            #expect(lines[0]["stored_action_id"] as? String == "\(second.action)")
            #expect(lines[0]["root_run_id"] as? String == "\(second.root.run())")
            #expect(lines[2]["run_ids"] as? [String] == again.map(\.description))
            #expect(lines[2]["inputs_hash"] as? String == lines[3]["inputs_hash"] as? String)
            #expect(lines[2]["inputs_hash"] as? String != lines[0]["inputs_hash"] as? String)
            #expect(try await first.counts() == [5, 4])
            _ = try await sandbox.post("/sandbox/reset", "")
            #expect(try await first.counts() == [0, 0])
        }
    }

    @Test("POSTs to what is no bulk read are reported, too; those that the gate refused are not")
    func others() async throws {
        try await RunningSandbox.with(Settings(runLimit: 1)) { sandbox in
            let path = "/actions/v1/stored-actions/\(ActionKind.write.id(1))/run"
            for status in [201, 429] {
                let reply = try await sandbox.post(
                    path, #"{"data":{"inputs":{}}}"#, "Authorization: Bearer sandbox-token")
                #expect(reply.status == status)
            }
            let told = try await sandbox.get("/sandbox/submissions", token: nil)
            #expect(told.body.contains(#""root_run_id":null,"page":null"#))
            #expect(told.json?["posts"] as? Int == 1)
        }
    }

    @Test("the hash of inputs minds their values, not their order or white space")
    func hashes() {
        func hash(_ inputs: String) -> String { Submission.inputsHash(Array(#"{"data":{"inputs":\#(inputs)}}"#.utf8)) }
        #expect(hash(#"{"a":1,"b":[2,3]}"#) == hash(#"{ "b": [2, 3], "a": 1 }"#))
        #expect(hash(#"{"a":1}"#) != hash(#"{"a":"1"}"#))
        #expect(hash("{}").count == 16 && hash("[]").isEmpty && Submission.inputsHash([]).isEmpty)
    }

    @Test("a slowed POST has started its run before it is answered; reads are not slowed", .timeLimit(.minutes(1)))
    func latency() async throws {
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let sleep: @Sendable (Duration) async throws -> Void = { duration in
            #expect(duration == .milliseconds(700))
            for await _ in released { return }
        }
        try await RunningSandbox.with(sleep: sleep) { sandbox in
            _ = try await sandbox.post("/sandbox/settings", #"{"post_latency_ms":700}"#)
            let chain = ChainClient(sandbox: sandbox, root: BulkPage(chain: 1, pages: 9, rows: 2))
            #expect(try await chain.get(chain.root.run()).status == 200)
            async let started = chain.start(1)
            while try await chain.counts() == [0, 0] { await Task.yield() }
            #expect(try await chain.counts() == [1, 1])
            let inFlight = try await sandbox.get("/sandbox/stats", token: nil).json?["by_status"] as? NSDictionary
            #expect(inFlight == ["200": 1])
            release.yield()
            let run = try await started
            #expect(run == chain.root.at(cursor: "1")?.run(ordinal: 1))
        }
    }
}
