import Foundation
import Postgres
import Support
import Testing

/// Which runs an export is about.
@Suite("Manifests")
struct ManifestTests {
    private static let action = "ac000001-0000-4000-8000-0000000000aa"

    @Test func `JSON, JSON Lines and CSV of one call are one export, and the JSON's stored actions hold for all`()
        async throws
    {
        try await Stage.with { stage in
            let runs = (1...6).map { Manifest.Run(.success, 2, number: UInt64($0)) }
            let json = try stage.write(
                """
                {"version": 1, "stored_actions": {"\(Self.action)": {"label": "new_leads"}},
                 "runs": [{"stored_action_id": "\(Self.action)", "run_ids": ["\(runs[0].id)", "\(runs[1].id)"]}]}
                """, to: "today.json")
            let west = "2026-11-20T10:00:00+01:00"
            let lines = try stage.write(
                """
                {"stored_action_id": "\(Self.action)", "run_id": "\(runs[2].id)", "executed_at": "\(west)"}

                {"stored_action_id": "\(Self.action)", "run_id": "\(runs[3].id.uppercased())"}
                """, to: "more.jsonl")
            let csv = try stage.write(
                "\u{FEFF}run_id,stored_action_id,executed_at\r\n\(runs[4].id),\(Self.action),2026-11-20T09:00:00Z\r\n"
                    + "\"\(runs[5].id)\",\(Self.action.uppercased()),\r\n", to: "rest.csv")
            let finished = try await stage.run(
                "export", "--json", "--manifest", json, "--manifest", lines, "--manifest", csv)
            let summary: Summary = try finished.decoded()
            #expect(finished.status == 0)
            #expect(summary.manifests.sorted() == ["more", "rest", "today"])
            #expect(summary.items == 6)
            #expect(try await stage.database.count("exports") == 1)
            #expect(
                try await stage.database.rows("select name, items from export_manifests order by name")
                    == ["more|2", "rest|2", "today|2"])
            #expect(
                try await stage.database.rows("select stored_action_id, label from actions")
                    == ["\(Self.action)|new_leads"])
            #expect(
                try await stage.database.count("runs where executed_at = '2026-11-20T09:00:00Z'") == 2)
            #expect(
                try await stage.database.value("select sha256 from export_manifests where name = 'rest'")
                    == stage.database.value(
                        "select encode(pg_catalog.sha256($1), 'hex')",
                        [.bytes(Array(try Data(contentsOf: URL(fileURLWithPath: csv))))]))
        }
    }

    @Test func `A manifest comes on standard input, under the name that --name gives it`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(3, .success, 2, name: "written in it")
            let named = try await stage.run(
                "export", "--manifest", "-", "--name", "nightly", "--json", input: manifest.json)
            #expect(named.status == 0)
            #expect(try named.decoded(Summary.self).manifests == ["nightly"])
            let own = try await stage.run("export", "--manifest", "-", "--json", input: manifest.json)
            #expect(try own.decoded(Summary.self).manifests == ["written in it"])
            #expect(try own.decoded(Summary.self).alreadySettled == 3)
            let stored = try await stage.database.rows("select name from export_manifests order by export_id")
            #expect(stored == ["nightly", "written in it"])
            let twice = try await stage.run(
                "export", "--manifest", "-", "--manifest", "-", "--json", input: manifest.json)
            #expect([64, 65].contains(twice.status))
        }
    }

    @Test func `A manifest without a name is called as its file is`() async throws {
        try await Stage.with { stage in
            let run = Manifest.Run(.success, 1, number: 1)
            let path = try stage.write("{\"version\": 1, \"runs\": [\(run.json)]}", to: "leads of may.v2.json")
            let finished = try await stage.run("export", "--manifest", path, "--json")
            #expect(try finished.decoded(Summary.self).manifests == ["leads of may.v2"])
        }
    }

    @Test func `A run that two manifests name alike is one item, and asked for once`() async throws {
        try await Stage.with { stage in
            let one = try stage.write(Manifest.of(4, .success, 2, name: "one").json, to: "one.json")
            let two = try stage.write(Manifest.of(4, .success, 2, from: 2, name: "two").json, to: "two.json")
            let both = try await stage.run("export", "--json", "--manifest", one, "--manifest", two)
            #expect(both.status == 0)
            #expect(try both.decoded(Summary.self).items == 6)
            #expect(try await stage.sandbox.stats.requests == 6)
            let again = try await stage.run("export", "--json", "--manifest", two)
            #expect(try again.decoded(Summary.self).alreadySettled == 4)
        }
    }

    @Test func `What contradicts between manifests is invalid, and both places are reported`() async throws {
        try await Stage.with { stage in
            let run = Manifest.Run(.success, 2, number: 1, executed: .daysAgo(1))
            var other = run
            other.executedAt = .daysAgo(2)
            let one = try stage.write(Manifest(name: "one", runs: [run]).json, to: "one.json")
            let two = try stage.write(Manifest(name: "two", runs: [other]).json, to: "two.json")
            let both = try await stage.run("export", "--manifest", one, "--manifest", two)
            #expect(both.status == 65)
            #expect(both.stderr.contains("two.json") && both.stderr.contains("runs[0]"), "\(both.stderr)")
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
            let same = try stage.write(Manifest(name: "one", runs: []).json, to: "same.json")
            #expect(try await stage.run("export", "--manifest", one, "--manifest", same).status == 65)
        }
    }

    @Test func `A date that a later manifest tells moves the expiry, and a manifest without one takes it not away`()
        async throws
    {
        try await Stage.with { stage in
            var run = Manifest.Run(.missing, number: 1)
            _ = try await stage.export(Manifest(runs: [run]))
            let state = """
                select outcome, evidence, executed_at is null, expires_at = coalesce(executed_at, first_seen_at) + '7 d'
                  from runs
                """
            #expect(try await stage.database.rows(state) == ["expired|age_unknown|true|true"])
            run.executedAt = .daysAgo(2)
            #expect(try await stage.export(Manifest(name: "dated", runs: [run])).status == 3)
            #expect(try await stage.database.rows(state) == ["not_found||false|true"])
            run.executedAt = nil
            #expect(try await stage.export(Manifest(name: "undated", runs: [run])).status == 3)
            #expect(try await stage.database.rows(state) == ["not_found||false|true"])
        }
    }

    @Test func `The newest manifest's label wins, and one without a label leaves it`() async throws {
        try await Stage.with { stage in
            let run = Manifest.Run(.success, 1, number: 1)
            for (label, expected) in [("\"old\"", "old"), ("\"new\"", "new"), (nil, "new")] as [(String?, String)] {
                let fields = label.map { "\"label\": \($0)" } ?? ""
                let path = try stage.write(
                    """
                    {"version": 1, "stored_actions": {"\(run.action)": {\(fields)}}, "runs": [\(run.json)]}
                    """, to: "today.json")
                #expect(try await stage.run("export", "--manifest", path).status == 0)
                #expect(try await stage.database.value("select label from actions") == expected)
            }
        }
    }

    private static let run = Manifest.Run(.success, 1, number: 1)

    @Test(arguments: [
        (
            "a.json",
            #"{"version": 1, "runs": [{"stored_action_id": "\#(run.action)", "run_id": "\#(run.id)", "label": "leads"}]}"#
        ),
        ("a.jsonl", #"{"stored_action_id": "\#(run.action)", "run_id": "\#(run.id)", "label": "leads"}"# + "\n"),
        ("a.csv", "stored_action_id,run_id,label\n\(run.action),\(run.id),leads\n"),
    ])
    func `A label on a run names its stored action`(_ name: String, _ text: String) async throws {
        try await Stage.with { stage in
            let path = try stage.write(text, to: name)
            #expect(try await stage.run("export", "--manifest", path).status == 0)
            #expect(
                try await stage.database.rows("select stored_action_id, label from actions")
                    == ["\(Self.run.action)|leads"])
        }
    }

    @Test func `The labels of the example in CSV arrive`() async throws {
        try await Stage.with { stage in
            let path = Repository.root.appending(path: "jobs/examples/runs.csv").path
            _ = try await stage.run("export", "--manifest", path, "--max-wait", "0")
            #expect(
                try await stage.database.rows("select label from actions order by label") == ["invoices", "new_leads"])
        }
    }

    @Test(arguments: [("today.jsonl", ""), ("today.csv", "stored_action_id,run_id\n"), ("today.csv", "")])
    func `A JSON Lines or CSV manifest of no runs ends with 65, with --allow-empty it is an export of nothing`(
        _ name: String, _ text: String
    ) async throws {
        try await Stage.with { stage in
            let path = try stage.write(text, to: name)
            for verb in ["validate", "export"] {
                #expect(try await stage.run(verb, "--manifest", path).status == 65)
            }
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
            for verb in ["validate", "export"] {
                #expect(try await stage.run(verb, "--manifest", path, "--allow-empty").status == 0)
                #expect(try await stage.run(verb, "--manifest", "-", "--allow-empty", input: text).status == 0)
                #expect(try await stage.run(verb, "--manifest", "-", input: text).status == 65)
            }
            let json = try stage.write(#"{"version": 1, "runs": []}"#, to: "none.json")
            #expect(try await stage.run("export", "--manifest", json).status == 0)
        }
    }

    @Test func `Another number of runs than --expect-runs says ends with 65`() async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest.of(3).json, to: "today.json")
            for verb in ["validate", "export"] {
                let wrong = try await stage.run(verb, "--manifest", path, "--expect-runs", "4")
                #expect(wrong.status == 65)
                #expect(wrong.stderr.contains("--expect-runs 4: the manifests name 3 runs"), "\(wrong.stderr)")
                #expect(try await stage.run(verb, "--manifest", path, "--expect-runs", "3").status == 0)
                #expect(try await stage.run(verb, "--manifest", path, "--expect-runs=-1").status == 64)
            }
            #expect(try await stage.run("export", "--unfinished", "--expect-runs", "3").status == 64)
            #expect(try await stage.run("export", "--unfinished", "--allow-empty").status == 64)
        }
    }

    @Test func `A manifest that is written to while it is read ends with 65`() async throws {
        try await Stage.with { stage in
            let text = String(repeating: Self.run.json + "\n", count: 200_000)
            let path = try stage.write(text, to: "today.jsonl")
            let writer = try #require(FileHandle(forWritingAtPath: path))
            let finished = try await stage.run("validate", "--manifest", path) { running in
                while !running.hasEnded {
                    try writer.seekToEnd()
                    try writer.write(contentsOf: Data("\n".utf8))
                    await Task.yield()
                }
            }
            #expect(finished.status == 65)
            #expect(finished.stderr.contains("today.jsonl: changed while it was read"), "\(finished.stderr)")
        }
    }

    @Test(arguments: ["a.json.gz", "a.jsonl.gz", "a.csv.gz"])
    func `Packed manifests are read from files and pipes as plain ones`(_ name: String) async throws {
        try await Stage.with { stage in
            let text =
                switch name {
                case "a.json.gz": #"{"version": 1, "runs": [\#(Self.run.json)]}"#
                case "a.jsonl.gz": Self.run.json + "\n"
                default: "run_id,stored_action_id\n\(Self.run.id),\(Self.run.action)\n"
                }
            let packed = Compression.gzip.pack(text.utf8)
            let path = try stage.write(packed, to: name)
            #expect(try await stage.run("export", "--manifest", path).status == 0)
            #expect(try await stage.database.rows("select name, items from export_manifests") == ["a|1"])
            for path in ["-", "/dev/stdin"] {
                #expect(try await stage.run(["validate", "--manifest", path], input: packed).status == 0)
                #expect(try await stage.run(["validate", "--manifest", path], input: Array(text.utf8)).status == 0)
            }
            let shell = "exec \(stage.tool.path) validate --manifest <(cat \(name)) --json"
            let substituted = try await Program(path: "/bin/bash").run(
                ["-c", shell], environment: stage.environment, workingFolder: stage.folder)
            #expect(substituted.status == 0, "\(substituted.stderr)")
            #expect(try await stage.run(["validate", "--manifest", "-"], input: packed.dropLast(4)).status == 65)
        }
    }

    @Test func `Validating needs neither network nor database nor token`() async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest.of(1200, name: "big").json, to: "today.json")
            let finished = try await Program(built: "stored-actions").run(
                ["validate", "--manifest", path], environment: ["PGHOST": "127.0.0.1", "PGPORT": "9"])
            #expect(finished.status == 0)
            #expect(finished.stdout.contains("1,200 runs"))
            #expect(finished.stdout.contains("big"))
            #expect(try await stage.sandbox.stats.requests == 0)
        }
    }
}
