import Foundation
import Postgres
import Testing

/// Manifests that are refused with 65, whole: nothing is fetched, nothing is written.
@Suite("Broken manifests")
struct BrokenManifestTests {
    private static let run = Manifest.Run(.success, 1, number: 1)

    private static let broken: [(what: String, bytes: [UInt8])] = [
        ("empty", []), ("white space", Array(" \n".utf8)), ("no JSON", Array("runs: all of them".utf8)),
        ("truncated", Array(Manifest(runs: [run]).json.utf8.dropLast(2))),
        ("more behind it", Array((Manifest(runs: [run]).json + " []").utf8)),
        ("not UTF-8", Array(#"{"version": 1, "name": ""#.utf8) + [0xC3, 0x28] + Array(#"", "runs": []}"#.utf8)),
        ("UTF-16", Array(Data(Manifest(runs: [run]).json.data(using: .utf16) ?? Data()))),
        ("binary", (0...255).map { UInt8($0) }),
        ("nested deeply", Array(String(repeating: "[", count: 200_000).utf8)),
        (
            "inputs nested deeply",
            Array(
                """
                {"version": 1, "runs": [{"stored_action_id": "\(run.action)", "run_id": "\(run.id)", "inputs":
                \(String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000))}]}
                """.utf8)
        ),
        (
            "a huge value",
            Array(
                """
                {"version": 1, "runs": [{"stored_action_id": "\(run.action)",
                 "run_id": "\(String(repeating: "a", count: 20 << 20))"}]}
                """.utf8)
        ),
        ("an array", Array("[]".utf8)), ("no version", Array(#"{"runs": []}"#.utf8)),
        ("version 2", Array(#"{"version": 2, "runs": []}"#.utf8)), ("no runs", Array(#"{"version": 1}"#.utf8)),
        ("an unknown key", Array(#"{"version": 1, "runs": [], "rums": []}"#.utf8)),
        ("a bad UUID", Array(#"{"version": 1, "runs": [{"stored_action_id": "x", "run_id": "y"}]}"#.utf8)),
        (
            "a bad date",
            Array(
                """
                {"version": 1, "runs": [{"stored_action_id": "\(run.action)", "run_id": "\(run.id)",
                 "executed_at": "2026-02-30T00:00:00Z"}]}
                """.utf8)
        ),
        (
            "a run named twice with different dates",
            Array(
                """
                {"version": 1, "runs": [
                  {"stored_action_id": "\(run.action)", "run_id": "\(run.id)", "executed_at": "2026-11-20T00:00:00Z"},
                  {"stored_action_id": "\(run.action)", "run_id": "\(run.id)", "executed_at": "2026-11-21T00:00:00Z"}]}
                """.utf8)
        ),
    ]

    @Test(arguments: broken.indices)
    func `A broken manifest ends with 65: nothing is fetched, nothing is written`(_ index: Int) async throws {
        let (what, bytes) = Self.broken[index]
        try await Stage.with { stage in
            let path = try stage.write(bytes, to: "today.json")
            let good = try stage.write(Manifest.of(2, from: 7, name: "good").json, to: "good.json")
            for arguments in [["validate"], ["export"], ["export", "--manifest", good]] {
                let finished = try await stage.run(arguments + ["--manifest", path, "--json"])
                #expect(finished.status == 65, "\(what), \(arguments): \(finished.stderr.prefix(500))")
                #expect(try finished.object()["exit_status"] as? Int == 65, "\(what)")
                #expect(!finished.stderr.isEmpty)
                #expect(finished.stderr.utf8.count < 100_000, "\(what) is quoted at length")
            }
            #expect(try await stage.sandbox.stats.requests == 0)
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"), "\(what)")
        }
    }

    @Test(arguments: [
        ("runs.jsonl", "not json\n"), ("runs.jsonl", #"{"stored_action_id": "x"}"#), ("runs.ndjson", "[]\n"),
        ("runs.csv", "run_id\n"), ("runs.csv", "stored_action_id,run_id\nx,y\n"),
        ("runs.csv", "stored_action_id,run_id,colour\n"), ("runs.csv", "stored_action_id,run_id\n\"open\n"),
        ("runs.csv", ""),
    ])
    func `Broken JSON Lines and CSV end with 65 and name the line`(_ file: String, _ text: String) async throws {
        try await Stage.with { stage in
            let path = try stage.write(text, to: file)
            let finished = try await stage.run("export", "--manifest", path)
            #expect(finished.status == 65, "\(text): \(finished.stderr)")
            #expect(finished.stdout == "")
            #expect(text.isEmpty || finished.stderr.contains("line "), "\(finished.stderr)")
        }
    }

    @Test func `A line of 50 MB ends with 65`() async throws {
        try await Stage.with { stage in
            let path = try stage.write([UInt8](repeating: UInt8(ascii: "a"), count: 50_000_000), to: "runs.jsonl")
            #expect(try await stage.run("export", "--manifest", path).status == 65)
        }
    }

    @Test func `All faults of a manifest are reported together: 100 for people, all of them in JSON`() async throws {
        try await Stage.with { stage in
            let bad = (0..<150).map { _ in
                "{\"stored_action_id\": \"ac000001-0000-4000-8000-000000000001\", \"run_id\": \"x\"}"
            }
            let path = try stage.write(
                "{\"version\": 1, \"runs\": [\(bad.joined(separator: ","))]}", to: "today.json")
            let text = try await stage.run("export", "--manifest", path)
            #expect(text.stderr.contains("runs[3].run_id"))
            #expect(text.stderr.contains("150"))
            #expect(text.stderr.split(separator: "\n").filter { $0.contains("run_id") }.count == 100)
            let json = try await stage.run("export", "--manifest", path, "--json").object()
            #expect((json["problems"] as? [Any])?.count == 150)
        }
    }

    @Test func `A manifest that is not there ends with 65`() async throws {
        try await Stage.with { stage in
            for path in ["no-such-file.json", "."] {
                let finished = try await stage.run("export", "--manifest", path, "--json")
                #expect(finished.status == 65, "\(path): \(finished.stderr)")
                #expect(try finished.object()["exit_status"] as? Int == 65)
            }
        }
    }
}
