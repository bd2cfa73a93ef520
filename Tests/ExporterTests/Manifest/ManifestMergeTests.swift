import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Several manifests, and runs named twice")
struct ManifestMergeTests {
    private let action = ManifestFixture.action
    private let fixture: ManifestFixture

    init() throws {
        fixture = try ManifestFixture()
    }

    @Test("A run named twice alike counts once, and once for each manifest that names it")
    func alike() throws {
        let first = fixture.file(
            "a.json",
            ManifestFixture.json(
                "{\(ManifestFixture.ids(1))}, {\(ManifestFixture.ids(1))}, {\(ManifestFixture.ids(2))}"))
        let second = fixture.file(
            "b.csv",
            "run_id,stored_action_id\n\(ManifestFixture.run(2).uppercased()),\(action)\n"
                + "\(ManifestFixture.run(3)),\(action)\n"
        )
        let manifests = try fixture.read([first, second])
        #expect(manifests.runCount == 3)
        #expect(manifests.list.map(\.items) == [2, 2])
        #expect(
            try manifests.runs().map { "\($0.key.runID.lowercase.suffix(1)) \($0.manifests)" } == [
                "1 [0]", "2 [0, 1]", "3 [1]",
            ])
        #expect(try manifests.runs() == manifests.runs())
    }

    @Test("The same run id under another stored action is another run")
    func otherAction() throws {
        let runs = """
            {\(ManifestFixture.ids(1))},
            {"stored_action_id": "\(ManifestFixture.otherAction)", "run_id": "\(ManifestFixture.run(1))"}
            """
        #expect(try fixture.read([fixture.file("a.json", ManifestFixture.json(runs))]).runCount == 2)
    }

    @Test(
        "A run named twice with different settings is a problem that names both places",
        arguments: [
            ("", #", "executed_at": "2026-11-20T09:30:00Z""#, "another executed_at"),
            (
                #", "executed_at": "2026-11-20T09:30:00Z""#, #", "executed_at": "2026-11-20T09:30:01Z""#,
                "another executed_at"
            ),
            ("", #", "max_pages": 5"#, "another max_pages"),
            ("", #", "follow_pages": true"#, "another follow_pages"),
            (#", "inputs": {"a": 1}"#, #", "inputs": {"a": 2}"#, "another inputs"),
            (#", "inputs": {}"#, "", "another inputs"),
            ("", #", "label": "b", "action_type": "read""#, "different label, action_type"),
            (
                #", "label": "a""#, #", "label": "a", "action_type": "read", "first_page": "2""#,
                "different action_type, first_page"
            ),
        ])
    func different(first: String, second: String, difference: String) throws {
        let text = ManifestFixture.json("{\(ManifestFixture.ids(1))\(first)}, 5, {\(ManifestFixture.ids(1))\(second)}")
        let message = "the run \(ManifestFixture.run(1)) is named before, at runs[0].run_id, with \(difference)"
        #expect(
            fixture.problems([fixture.file("a.json", text)]) == [
                "runs[1]: is a number: write an object with stored_action_id and run_id",
                "runs[2].run_id: \(message): make the two agree, or remove one",
            ])
    }

    @Test(
        "What comes to the same is no difference",
        arguments: [
            (#", "max_pages": 1000, "first_page": "0", "follow_pages": false"#, ""),
            (#", "executed_at": "2026-11-20T09:30:00Z""#, #", "executed_at": "2026-11-20T10:30:00.0+01:00""#),
            (#", "inputs": {"a": [1, "é"], "b": {}}"#, #", "inputs": { "b":{}, "a":[1,"\u00e9"] }"#),
            (#", "label": "leads""#, ""),
        ])
    func same(first: String, second: String) throws {
        let text = ManifestFixture.json(
            "{\(ManifestFixture.ids(1))\(first)}, {\(ManifestFixture.ids(1))\(second)}",
            storedActions: second.isEmpty ? "{\"\(action)\": {\"label\": \"leads\"}}" : "{}")
        #expect(fixture.problems([fixture.file("a.json", text)]) == [])
    }

    @Test("Places in run_ids, in lines and in other manifests are named as they are")
    func places() throws {
        let first = fixture.file(
            "a.json",
            ManifestFixture.json(
                #"{"stored_action_id": "\#(action)", "#
                    + #""run_ids": ["\#(ManifestFixture.run(1))", "\#(ManifestFixture.run(2))"]}"#
            ))
        let second = fixture.file(
            "b.jsonl", "\n{\(ManifestFixture.ids(2)), \"label\": \"x\"}\n{\(ManifestFixture.ids(3))}")
        let third = fixture.file(
            "c.csv",
            "stored_action_id,run_id,label\n\(action),\(ManifestFixture.run(1)),\n"
                + "\(action),\(ManifestFixture.run(3)),x\n"
        )
        let end = "with another label: make the two agree, or remove one"
        #expect(
            fixture.problems([first, second, third]) == [
                "line 2: run_id: the run \(ManifestFixture.run(2)) is named before, "
                    + "at runs[0].run_ids[1] of a.json, \(end)",
                "line 3: run_id: the run \(ManifestFixture.run(3)) is named before, "
                    + "at line 3: run_id of b.jsonl, \(end)",
            ])
    }

    @Test("Stored actions of all manifests hold for the runs of all, and are laid together")
    func storedActions() throws {
        let lines = fixture.file("a.jsonl", "{\(ManifestFixture.ids(1))}")
        let first = fixture.file(
            "b.json", ManifestFixture.json("", storedActions: #"{"\#(action)": {"label": "x", "max_pages": 3}}"#))
        let second = fixture.file(
            "c.json",
            ManifestFixture.json(
                "", storedActions: #"{"\#(action.uppercased())": {"max_pages": 3, "first_page": "7"}}"#))
        let manifests = try fixture.read([lines, first, second])
        let run = try #require(try manifests.runs().first)
        #expect(run.label == "x" && run.pages == PageSettings(maxPages: 3, firstPage: "7"))
        #expect(manifests.storedActions[try #require(UUID(uuidString: action))]?.label == "x")
        #expect(manifests.list.map(\.items) == [1, 0, 0])
    }

    @Test("Stored actions that contradict one another are a problem that names both manifests")
    func contradiction() throws {
        let first = fixture.file(
            "a.json", ManifestFixture.json("", storedActions: #"{"\#(action)": {"label": "x", "max_pages": 3}}"#))
        let second = fixture.file(
            "b.json", ManifestFixture.json("", storedActions: #"{"\#(action)": {"label": "y", "max_pages": 3}}"#))
        #expect(
            fixture.problems([first, second]) == [
                "stored_actions.\(action).label: differs from what a.json says of it: make the two agree"
            ])
    }

    @Test("All problems are counted, and the first ones by source and place are kept")
    func limit() throws {
        let runs = (0..<500).map { _ in "{\(ManifestFixture.ids(1)), \"label\": 1}" }.joined(separator: ",")
        let conflict = "{\(ManifestFixture.ids(2))}, {\(ManifestFixture.ids(2)), \"max_pages\": 2},"
        let sources = [
            fixture.file("a.json", ManifestFixture.json(conflict + runs)), fixture.file("b.json", "{}"),
        ]
        let error = #expect(throws: ManifestProblems.self) { try fixture.read(sources, maxProblems: 3) }
        #expect(error?.totalCount == 503)
        #expect(error?.problems.map(\.place) == ["runs[1].run_id", "runs[2].label", "runs[3].label"])
        let all = #expect(throws: ManifestProblems.self) { try fixture.read(sources, maxProblems: Int.max) }
        #expect(all?.problems.count == 503)
        #expect(
            all?.problems.last
                == ManifestProblem(
                    source: fixture.path("b.json"), place: "runs", message: "missing: write \"runs\": [...]"))
    }

    @Test("Many runs, more than are held in memory, come out once each, and later conflicts are found")
    func many() throws {
        let count = 40_000
        var lines = (0..<count).map { "{\(ManifestFixture.ids($0 % 30_000))}\n" }.joined()
        let source = fixture.file("many.jsonl", lines)
        let manifests = try fixture.read([source])
        #expect(manifests.runCount == 30_000)
        #expect(manifests.list.map(\.items) == [30_000])
        #expect(Set(try manifests.runs().map(\.key)).count == 30_000)
        lines += "{\(ManifestFixture.ids(29_999)), \"max_pages\": 2}\n"
        #expect(
            fixture.problems([fixture.file("more.jsonl", lines)]).map { String($0.prefix(20)) } == [
                "line 40001: run_id: "
            ])
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: fixture.folder).sorted() == [
                "many.jsonl", "more.jsonl",
            ])
    }

    @Test("A run that is named more often than fits into memory counts once for each manifest that names it")
    func oneRunOften() throws {
        let line = "{\(ManifestFixture.ids(1))}\n"
        let first = fixture.file("a.jsonl", String(repeating: line, count: 40_000))
        let second = fixture.file("b.jsonl", line)
        let manifests = try fixture.read([first, second])
        #expect(manifests.runCount == 1)
        #expect(manifests.list.map(\.items) == [1, 1])
        #expect(try manifests.runs().map(\.manifests) == [[0, 1]])
        let other = fixture.file("c.jsonl", "{\(ManifestFixture.ids(1)), \"max_pages\": 2}\n")
        #expect(fixture.problems([first, other]).count == 1)
    }

    @Test("Two manifests of the same runs, more than are held in memory: each run comes out once, with both")
    func manyTwice() throws {
        let count = 50_000
        let lines = fixture.file("a.jsonl", (0..<count).map { "{\(ManifestFixture.ids($0))}\n" }.joined())
        let records = (0..<count).reversed().map { "\(action),\(ManifestFixture.run($0))\n" }.joined()
        let table = fixture.file("b.csv", "stored_action_id,run_id\n" + records)
        let manifests = try fixture.read([lines, table])
        #expect(manifests.runCount == count)
        #expect(manifests.list.map(\.items) == [count, count])
        let runs = try manifests.runs()
        #expect(Set(runs.map(\.key)).count == count)
        #expect(runs.allSatisfy { $0.manifests == [0, 1] })
    }
}
