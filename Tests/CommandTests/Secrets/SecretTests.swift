import Foundation
import Postgres
import Testing

/// No secret is ever printed, logged or stored; nor are inputs or bodies logged.
@Suite("Secrets")
struct SecretTests {
    @Test(arguments: SecretCases.all)
    func `No secret stands in any output, any column or the process list`(_ table: SecretCases) async throws {
        try await Vault.with { vault in
            for one in table.cases {
                for json in [false, true] { try await vault.run(one, json: json) }
            }
            let stored = try await vault.stage.database.everything()
            #expect(Guarded.lines(in: stored) == [], "stored after \(table.testDescription)")
            #expect(Guarded.lines(in: try vault.leftFiles()) == [])
        }
    }

    @Test func `Bodies of refused requests are kept without the token, results as they were sent`() async throws {
        try await Vault.with { vault in
            try await vault.run(SecretCase("export --manifest refused.json --keep-raw", 75), json: true)
            let stored = try await vault.stage.database.everything()
            #expect(Guarded.lines(in: stored) == [])
            // 400, 403, 404, 409, 410 and 422; the 500 is no last word.
            let kept = try await vault.stage.database.rows("select convert_from(body, 'UTF8') from run_bodies")
            #expect(kept.count == 6)
            #expect(kept.allSatisfy { $0.contains("Bearer [token]") }, "\(kept)")

            try vault.stage.write(Manifest.of(1, .resultsMixed).json, to: "data.json")
            let changes: [String: String?] = [
                "ZAPIER_API_URL": vault.api.address(.each), "ZAPIER_ACCESS_TOKEN": Guarded.token.rawValue,
            ]
            let export = try await vault.stage.run("export", "--manifest", "data.json", "--keep-raw", changes: changes)
            #expect(export.status == 0, "\(export.stderr)")
            let spelling = Guarded.token.rawValue.replacing("/", with: "\\/").replacing("+", with: "\\u002b")
            let body = try await vault.stage.database.value(
                "select convert_from(body, 'UTF8') from run_bodies join runs using (run_id) where status = 'success'")
            #expect(body == #"{"status": "success", "results": ["Bearer \#(spelling)"], "errors": []}"#)
            let result = try await vault.stage.database.value("select payload #>> '{}' from results")
            #expect(result == "Bearer \(Guarded.token.rawValue)")
        }
    }

    /// What Swift tells of a crash shows registers and memory.
    @Test(arguments: [SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE])
    func `A crash ends the program at once, by its signal, with nothing told of its memory`(_ fault: Int32) async throws
    {
        try await Vault.with { vault in
            let changes: [String: String?] = [
                "ZAPIER_API_URL": vault.api.address(.silence), "ZAPIER_ACCESS_TOKEN": Guarded.token.rawValue,
            ]
            let environment = vault.stage.environment.merging(changes.compactMapValues(\.self)) { $1 }
            let shell = try await Program(path: "/bin/sh").run(
                ["-c", #""$0" "$@"; echo $?"#, vault.stage.tool.path, "export", "--manifest", "good.json"],
                environment: environment, workingFolder: vault.stage.folder
            ) { shell in
                try await wait("the API is asked") { vault.api.requests > 0 }
                let children = try String(
                    contentsOfFile: "/proc/\(shell.pid)/task/\(shell.pid)/children", encoding: .utf8)
                kill(try #require(pid_t(children.trimmingCharacters(in: .whitespaces))), fault)
                try await wait("the end of the program") { shell.hasEnded }
            }
            #expect(shell.stdout == "\(128 + fault)\n")
            // Log lines, and what the shell says of the signal.
            let lines = shell.stderr.split(separator: "\n").filter {
                !$0.contains(#/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /#)
            }
            #expect(lines.count <= 1 && lines.joined().utf8.count < 60, "\(shell.stderr)")
            #expect(Guarded.lines(in: shell.stderr) == [])
        }
    }

    @Test func `A password that the database refuses is not shown`() async throws {
        try await PrivateCluster.with { cluster in
            let owner = try await cluster.database()
            try await owner.execute("create role guarded login password 'another-one'")
            // Written by the server, whose file it is.
            try await owner.execute(
                """
                do $$ begin execute format('copy (select %L) to %L', 'host all guarded all scram-sha-256',
                                           current_setting('hba_file')); end $$
                """)
            try await owner.execute("select pg_reload_conf()")
            let wrong = ["PGUSER": "guarded", "PGPASSWORD": Guarded.password.rawValue]
            try await Vault.with { vault in
                for verb in ["check", "migrate", "status", "export --manifest good.json"] {
                    for json in [false, true] {
                        try await vault.run(
                            SecretCase(verb, 78, cluster.environment.merging(wrong) { $1 }.mapValues { $0 }), json: json
                        )
                    }
                }
            }
        }
    }

    @Test func `A password on the command line is refused, and not shown`() async throws {
        try await Stage.with { stage in
            let url = "postgresql://postgres:\(Guarded.password.rawValue)@127.0.0.1:9/x"
            for json in [[], ["--json"]] {
                let finished = try await stage.run(["check", "--database-url", url, "--log-level", "trace"] + json)
                #expect(finished.status == 78)
                #expect(Guarded.lines(in: finished.stdout + finished.stderr) == [])
            }
        }
    }

    @Test func `A secret would be found`() async throws {
        let token = Guarded.token.rawValue
        for text in [token, "a \(token.replacing("/", with: "\\/")) b", Data("\(token):".utf8).base64EncodedString()] {
            #expect(Guarded.lines(in: "first\n\(text)\nlast") == [text])
        }
        try await Stage.with { stage in
            try await stage.database.execute(
                "create schema stored_actions; create table stored_actions.a (b bytea, c jsonb)")
            try await stage.database.execute("insert into a values (convert_to('\(token)', 'UTF8'), null)")
            #expect(Guarded.lines(in: try await stage.database.everything()).count == 1)
        }
    }

    @Test func `Inputs and bodies are not logged`() async throws {
        try await Stage.with { stage in
            let inputs = #", "inputs": {"list": "inputs-word-91c"}"#
            let manifest = Manifest(runs: [
                Manifest.Run(.large, 3, number: 1, more: inputs), Manifest.Run(.error, 3, number: 2, more: inputs),
                Manifest.Run(.html, 1, number: 3, more: inputs), Manifest.Run(.notJSON, 1, number: 4),
                Manifest.Run(.unknownStatus, number: 5),
            ])
            let export = try await stage.export(manifest, "--log-level", "trace")
            #expect(try export.summary.met == ["success": 3, "error": 1, "failed": 1])
            for word in ["inputs-word-91c", "0123456789abcdef", "Partner said", "All is well", "Welcome"] {
                #expect(!export.finished.stderr.contains(word), "\(word)")
                #expect(!export.finished.stdout.contains(word), "\(word)")
            }
            #expect(try await !stage.database.everything().contains("inputs-word-91c"))
        }
    }
}
