import Foundation
import Postgres
import Testing

/// What the API, the database and file names say reaches terminals and logs without its control characters.
@Suite("Control characters")
struct ControlCharacterTests {
    private static let forged = "2026-11-20T09:30:00Z error forged"
    /// A clear screen, a line break with a forged log line, a C1 control, and letters turned around.
    private static let evil = "x\u{1B}[2J\r\n\(forged)\u{9B}31m\u{202E}y\u{2028}z"

    private static func expectHarmless(
        _ finished: Program.Finished, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for text in [finished.stdout, finished.stderr] {
            let unsafe = text.unicodeScalars.filter { scalar in
                scalar != "\n"
                    && (scalar.properties.isBidiControl
                        || [.control, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory))
            }
            #expect(unsafe.isEmpty, "\(what): \(text.debugDescription)", sourceLocation: sourceLocation)
            let isForged = text.split(separator: "\n").contains { $0.hasPrefix(forged) }
            #expect(!isForged, "\(what): \(text)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: ["text", "json"])
    func `Names of files are shown escaped, in results, logs and errors`(_ format: String) async throws {
        try await Stage.with { stage in
            let runs = #"{"version": 1, "name": "a\u202eb", "runs": [\#(Manifest.Run(.pending, number: 1).json)]}"#
            let path = try stage.write(runs, to: Self.evil.replacing("/", with: "") + ".json")
            for arguments in [
                ["validate"], ["validate", "--json"], ["export", "--max-wait", "0"],
                ["export", "--json", "--max-wait", "0"],
            ] {
                let finished = try await stage.run(arguments + ["--manifest", path, "--log-format", format])
                Self.expectHarmless(finished, "\(arguments)")
                #expect(finished.status == (arguments[0] == "validate" ? 0 : 75))
                #expect((finished.stdout + finished.stderr).contains("31m"), "\(arguments): \(finished.stdout)")
            }
            for arguments in [["status"], ["status", "--json"], ["status", "--export", "1"]] {
                let finished = try await stage.run(arguments)
                Self.expectHarmless(finished, "\(arguments)")
                #expect(finished.stdout.lowercased().contains("a\\u") && finished.stdout.lowercased().contains("202e"))
            }
            #expect(try await stage.database.value("select name from export_manifests limit 1") == "a\u{202E}b")
            for arguments in [["validate"], ["export"], ["export", "--json"]] {
                let missing = try await stage.run(
                    arguments + ["--manifest", path + "x", "--manifest", path, "--log-format", format])
                Self.expectHarmless(missing, "\(arguments)")
                #expect(missing.status == 65)
            }
            for arguments in [
                ["--concurrency=" + Self.evil], ["--" + Self.evil], ["--manifest", "x", "--max-wait", Self.evil],
            ] {
                let usage = try await stage.run(["export"] + arguments)
                Self.expectHarmless(usage, "\(arguments)")
                #expect(usage.status == 64)
            }
        }
    }

    @Test func `The command that continues can be pasted, whatever the file's name`() async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest(runs: [.init(.pending, number: 1)]).json, to: "it's \u{1B}[2J\\\n.json")
            let finished = try await stage.run("export", "--manifest", path, "--max-wait", "0")
            let again = try await stage.continued(finished, shell: "/bin/bash")
            #expect(again.status == 75, "\(finished.stdout): \(again.stderr)")
        }
    }

    @Test func `Values of a manifest are shown escaped`() async throws {
        try await Stage.with { stage in
            let evil = String(decoding: try JSONEncoder().encode(Self.evil), as: UTF8.self)
            let json = #"""
                {"version": \#(evil), "name": \#(evil), \#(evil): 1, "stored_actions": {\#(evil): {}},
                 "runs": [{\#(evil): 1, "stored_action_id": \#(evil), "run_id": "\u001b[2J", "executed_at": \#(evil),
                  "label": \#(evil), "max_pages": \#(evil), "first_page": \#(evil)}]}
                """#
            let path = try stage.write(json, to: "today.json")
            let csv = try stage.write("run_id,\"\(Self.evil)\"\n", to: "today.csv")
            for format in ["text", "json"] {
                for file in [path, csv] {
                    for more in [[], ["--json"]] {
                        let finished = try await stage.run(
                            ["export", "--manifest", file, "--log-format", format] + more)
                        Self.expectHarmless(finished, "\(format) \(more)")
                        #expect(finished.status == 65)
                    }
                }
            }
        }
    }

    @Test func `What the API says is data in the tables, and escaped elsewhere`() async throws {
        let evil = String(decoding: try JSONEncoder().encode(Self.evil), as: UTF8.self)
        let runs = (1...6).map { Manifest.Run(.success, number: UInt64($0)) }
        let error = #"{"status": 400, "code": \#(evil), "title": \#(evil), "detail": \#(evil)}"#
        let answers: [(Int, String)] = [
            (400, #"{"errors": [\#(error)]}"#),
            (200, #"{"status": \#(evil), "results": [], "errors": []}"#),
            (200, #"{"status": "error", "results": [], "errors": [{"code": \#(evil), "detail": \#(evil)}]}"#),
            (200, #"{"id": \#(evil), "status": "success", "results": []}"#), (404, Self.evil), (200, Self.evil),
        ]
        let planned = zip(runs, answers).map { run, answer in
            (run.id, AnswerServer.Answer(status: answer.0, body: Array(answer.1.utf8)))
        }
        try await AnswerServer.with(Dictionary(uniqueKeysWithValues: planned)) { server in
            let url = server.url
            try await Stage.with { stage in
                let path = try stage.write(Manifest(runs: runs).json, to: "today.json")
                for arguments in [[], ["--json"], ["--log-format", "json"]] {
                    // It ends when the runs that fail have used up their tries.
                    let finished = try await stage.run(
                        ["export", "--manifest", path, "--refetch", "--max-wait", "0", "--log-level", "trace"]
                            + arguments, changes: ["ZAPIER_API_URL": url])
                    Self.expectHarmless(finished, "\(arguments)")
                    #expect(finished.status == 75)
                }
                Self.expectHarmless(try await stage.run("status", "--export", "1"))
                let detail = try await stage.database.value("select detail from errors")
                #expect(detail == Self.evil)
            }
        }
    }

    @Test func `What the database says is escaped`() async throws {
        try await Stage.with { stage in
            let check = try await stage.run("check", changes: ["PGDATABASE": "no" + Self.evil])
            Self.expectHarmless(check)
            #expect(check.status == 78 && check.stdout.contains("PGDATABASE holds a control character"))
            #expect(try await stage.run("migrate").status == 0)
            try await stage.database.execute(
                """
                create function refuse() returns trigger language plpgsql as
                  $$ begin raise exception using message = \(Self.literal), detail = \(Self.literal); end $$;
                create trigger refuse before insert on exports for each row execute function refuse();
                """)
            let path = try stage.write(Manifest.of(1).json, to: "today.json")
            for arguments in [[], ["--json"], ["--log-format", "json"]] {
                let finished = try await stage.run(["export", "--manifest", path] + arguments)
                Self.expectHarmless(finished, "\(arguments)")
                #expect(finished.status != 0 && finished.stderr.contains("31m"), "\(finished.stderr)")
            }
        }
    }

    /// The text as PostgreSQL's literal.
    private static var literal: String {
        "U&'"
            + evil.unicodeScalars.map { scalar in
                let digits = String(scalar.value, radix: 16)
                return #"\"# + String(repeating: "0", count: 4 - digits.count) + digits
            }.joined() + "'"
    }
}
