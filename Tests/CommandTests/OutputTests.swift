import Foundation
import Postgres
import Testing

import Glibc

/// stdout carries the result alone, stderr everything else.
@Suite("Output")
struct OutputTests {
    private static let keys: Set<String> = [
        "export_id", "manifests", "outcome", "exit_status", "items", "outcomes", "already_settled", "results", "errors",
        "pages_followed", "chains", "requests", "rate_limited", "waited_for_budget_s", "duration_s",
        "unfinished_elsewhere",
    ]
    private static let outcomes: Set<String> = [
        "success", "error", "expired", "not_found", "forbidden", "rejected", "waiting", "pending", "failed", "queued",
    ]

    @Test func `The JSON summary has every key of the contract, and its numbers add up`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [
                Manifest.Run(.success, 4, number: 1), Manifest.Run(.error, 2, number: 2),
                Manifest.Run(.missing, number: 3), Manifest.Run(.serverError, 1, number: 4),
                Manifest.Run(.noAnswer, 1, number: 5), Manifest.Run(.pending, number: 6),
            ])
            let export = try await stage.export(manifest, "--max-wait", "0")
            let object = try export.finished.object()
            #expect(Set(object.keys).isSuperset(of: Self.keys))
            #expect(Set((object["outcomes"] as? [String: Int] ?? [:]).keys) == Self.outcomes)
            #expect(Set((object["requests"] as? [String: Any] ?? [:]).keys) == ["total", "by_status"])
            let summary = try export.summary
            #expect(summary.outcomes.values.reduce(0, +) == summary.items)
            #expect(summary.requests.byStatus.values.reduce(0, +) == summary.requests.total)
            #expect(summary.requests.total == 8)
            let stats = try await stage.sandbox.stats
            #expect(summary.requests.total == stats.requests)
            #expect(summary.requests.byStatus["none"] == 1)
            #expect(summary.requests.byStatus["202"] == 1)
            #expect(summary.requests.byStatus["404"] == 1)
            #expect(summary.requests.byStatus["500"] == 1)
            #expect(summary.results == (try await stage.database.count("results")))
            #expect(summary.errors == 2)
            #expect(summary.manifests == ["today"])
            #expect(summary.exitStatus == export.status)
            #expect(summary.durationS >= 0)
            #expect(summary.pagesFollowed == 0 && summary.chains == [:] && summary.rateLimited == 0)
            #expect(try await stage.database.value("select requests from exports") == "8")
        }
    }

    @Test func `Every subcommand prints one JSON object`() async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest.of(2).json, to: "today.json")
            for arguments in [
                ["validate", "--manifest", path], ["migrate"], ["migrate", "--check"], ["check"],
                ["export", "--manifest", path], ["export", "--unfinished"], ["status"], ["status", "--export", "1"],
            ] {
                let finished = try await stage.run(arguments + ["--json"])
                #expect(finished.status == 0, "\(arguments): \(finished.stderr)")
                #expect(try finished.object()["exit_status"] as? Int == 0, "\(arguments)")
                #expect(finished.stdout.hasSuffix("}\n"), "\(arguments)")
                #expect(!finished.stdout.contains("\u{1B}"))
            }
        }
    }

    @Test func `A locked export, refused credentials and a missing database tell the summary's keys, too`() async throws
    {
        try await Stage.with { stage in
            let manifest = Manifest.of(2)
            let refused = try await stage.export(manifest, changes: ["ZAPIER_ACCESS_TOKEN": "wrong"])
            #expect(Set(try refused.finished.object().keys).isSuperset(of: Self.keys))
            for changes in [["ZAPIER_ACCESS_TOKEN": nil], ["PGDATABASE": "no_such_database"]] as [[String: String?]] {
                let object = try await stage.export(manifest, changes: changes).finished.object()
                #expect(Set(object.keys).isSuperset(of: Self.keys.subtracting(["export_id"])), "\(changes)")
                #expect(object["exit_status"] as? Int == 78)
                #expect(object["outcome"] as? String == "failed")
                #expect(object["error"] as? String != nil)
            }
        }
    }

    @Test func `The summary for people counts the outcomes and names the exact command that continues`() async throws {
        try await Stage.with { stage in
            let path = try stage.write(
                Manifest(
                    name: "today", runs: [Manifest.Run(.success, 3, number: 1), Manifest.Run(.pending, number: 2)]
                )
                .json, to: "it's today.json")
            let finished = try await stage.run("export", "--manifest", path, "--max-wait", "0", "--concurrency", "3")
            #expect(finished.status == 75)
            // The shell reads it as it was written.
            let again = try await stage.continued(finished)
            let summary: Summary = try again.decoded()
            #expect(again.status == 75)
            #expect(summary.alreadySettled == 1)
            #expect(finished.stdout.contains("success"))
            #expect(finished.stdout.contains("pending"))
            #expect(!finished.stdout.contains("\u{1B}") && !finished.stderr.contains("\u{1B}"))
        }
    }

    @Test func `--quiet leaves stderr empty when nothing is wrong`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.of(3), "--quiet")
            #expect(export.status == 0)
            #expect(export.finished.stderr == "")
            let failed = try await stage.export(
                Manifest.of(3, from: 9), "--quiet", changes: ["ZAPIER_ACCESS_TOKEN": nil])
            #expect(!failed.finished.stderr.isEmpty)
        }
    }

    @Test(arguments: ["trace", "debug", "info", "notice", "warning", "error", "critical"])
    func `--log-format json makes each line of stderr a JSON object, at every level`(_ level: String) async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [Manifest.Run(.success, number: 1), Manifest.Run(.serverError, 1, number: 2)])
            let export = try await stage.export(manifest, "--log-format", "json", "--log-level", level)
            #expect(export.status == 0)
            let ranks = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
            let least = try #require(ranks.firstIndex(of: level))
            for line in export.finished.stderr.split(separator: "\n") {
                let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
                let rank = object?["level"].flatMap { ranks.firstIndex(of: $0) }
                #expect(rank.map { $0 >= least } ?? false, "\(line)")
                #expect(object?["message"] != nil && object?["time"] != nil, "\(line)")
            }
            #expect((ranks[2...].contains(level) && least > 2) || !export.finished.stderr.isEmpty)
        }
    }

    @Test func `An error is a JSON object on stderr, too, under --log-format json`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(
                Manifest.of(1), "--log-format", "json", changes: ["ZAPIER_ACCESS_TOKEN": nil])
            #expect(export.status == 78)
            for line in export.finished.stderr.split(separator: "\n") {
                #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) != nil, "\(line)")
            }
        }
    }

    @Test(arguments: ["export", "validate", "check", "migrate", "status"])
    func `The help of each subcommand has an example`(_ verb: String) async throws {
        let tool = try Program(built: "stored-actions")
        let help = try await tool.run([verb, "--help"], environment: [:])
        #expect(help.status == 0)
        #expect(help.stdout.contains("EXAMPLE"))
        #expect(help.stdout.contains("stored-actions \(verb)"))
        #expect(help.stderr == "")
        let all = try await tool.run(["--help"], environment: [:])
        #expect(all.status == 0 && all.stdout.contains(verb))
    }

    // MARK: Signs of life

    @Test func `A sign of life comes before the manifest has been read`() async throws {
        try await Stage.with { stage in
            // The manifest comes only after stderr has spoken; would it not speak, nothing would ever end.
            let script = """
                mkfifo in err
                "$0" export --manifest - --name piped --json <in 2>err >out &
                exec 3>in
                head -n 1 <err >first
                printf '{"version": 1, "runs": []}' >&3
                exec 3>&-
                wait $!
                """
            let shell = try await Program(path: "/bin/sh").run(
                ["-c", script, stage.tool.path], environment: stage.environment, workingFolder: stage.folder)
            // stderr's reader is gone by then, which is no reason to fail.
            #expect(shell.status == 0)
            let first = try String(contentsOf: stage.folder.appending(path: "first"), encoding: .utf8)
            #expect(!first.isEmpty)
        }
    }

    @Test(arguments: ["xterm", "dumb", ""])
    func `A terminal gets one live line that is gone at the end, a dumb one none`(_ term: String) async throws {
        try await Stage.with("--latency", "300") { stage in
            let path = try stage.write(Manifest.of(12).json, to: "today.json")
            var environment = stage.environment
            environment["TERM"] = term.isEmpty ? nil : term
            environment["SHELL"] = "/bin/sh"
            let command = "'\(stage.tool.path)' export --manifest '\(path)' --concurrency 2 >out"
            let shown = try await Program(path: "/usr/bin/script").run(
                ["-qec", command, "/dev/null"], environment: environment, workingFolder: stage.folder)
            #expect(shown.status == 0)
            if term == "xterm" {
                let lines = shown.stdout.components(separatedBy: "\r\u{1B}[2K")
                #expect(lines.count > 3)
                #expect(lines.contains { $0.contains("of 12 runs") }, "\(lines)")
                #expect(lines.last?.contains("of 12 runs") == false)
                // Never a line that wraps.
                #expect(lines.allSatisfy { $0.split(whereSeparator: \.isNewline).allSatisfy { $0.count <= 200 } })
            } else {
                #expect(!shown.stdout.contains("\u{1B}"), "\(shown.stdout)")
                #expect(!shown.stdout.contains("of 12 runs"))
            }
            let out = try String(contentsOf: stage.folder.appending(path: "out"), encoding: .utf8)
            #expect(!out.contains("\u{1B}"))
            #expect(out.contains("12"))
        }
    }

    @Test func `NO_COLOR leaves no colour on a terminal`() async throws {
        try await Stage.with("--latency", "100") { stage in
            let path = try stage.write(Manifest.of(4).json, to: "today.json")
            var environment = stage.environment
            environment["TERM"] = "xterm"
            environment["NO_COLOR"] = "1"
            environment["SHELL"] = "/bin/sh"
            let shown = try await Program(path: "/usr/bin/script").run(
                ["-qec", "'\(stage.tool.path)' export --manifest '\(path)'", "/dev/null"], environment: environment,
                workingFolder: stage.folder)
            #expect(shown.stdout.contains(/\x1B\[[0-9;]*m/) == false)
        }
    }
}
