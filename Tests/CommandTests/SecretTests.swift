import Foundation
import Postgres
import Testing

/// No secret is ever printed, logged or stored; nor are inputs or bodies logged.
@Suite("Secrets")
struct SecretTests {
    private static let token = "tok-3f9a61c0e7"
    private static let password = "pw-77b1e2d94c"

    /// Everything that the calls of one test printed.
    private actor Transcript {
        private(set) var text = ""
        func add(_ finished: Program.Finished) { text += finished.stdout + finished.stderr }
    }

    @Test func `Neither token nor password stands in any output or any column, whatever happens`() async throws {
        try await Stage.with("--token", Self.token) { stage in
            let transcript = Transcript()
            let path = try stage.write(
                Manifest(runs: [
                    Manifest.Run(.success, 3, number: 1), Manifest.Run(.conflict, number: 2),
                    Manifest.Run(.error, number: 3), Manifest.Run(.html, 1, number: 4),
                    Manifest.Run(.cut, 1, number: 5),
                ]).json, to: "today.json")
            let file = try stage.write(Self.token + "\n", to: "token")
            let host = try #require(stage.environment["PGHOST"])
            let port = try #require(stage.environment["PGPORT"])
            let url = "postgresql://postgres:\(Self.password)@\(host):\(port)/\(stage.database.name)"
            let good: [String: String?] = ["ZAPIER_ACCESS_TOKEN": Self.token, "PGPASSWORD": Self.password]
            let noisy = ["--log-level", "trace"]
            let export = ["export", "--manifest", path] + noisy
            let calls: [(arguments: [String], changes: [String: String?], status: Int32)] = [
                (export, good, 3),
                (export + ["--json"], ["ZAPIER_ACCESS_TOKEN_FILE": file, "DATABASE_URL": url], 3),
                (export + ["--refetch", "--log-format", "json"], good, 3),
                (["check"] + noisy, good, 0), (["status"] + noisy, good, 0), (["migrate"] + noisy, good, 0),
                (export, good.merging(["ZAPIER_API_URL": "http://127.0.0.1:9"]) { $1 }, 69),
                (["check", "--json"], good.merging(["ZAPIER_API_URL": "http://127.0.0.1:9"]) { $1 }, 69),
                (export, good.merging(["ZAPIER_ACCESS_TOKEN": Self.token + "\nX: y"]) { $1 }, 78),
                (export, good.merging(["ZAPIER_ACCESS_TOKEN": Self.token + "-wrong"]) { $1 }, 77),
                (export, good.merging(["DATABASE_URL": url + "_not_there"]) { $1 }, 78),
                (export, good.merging(["DATABASE_URL": "postgresql://a:\(Self.password)@[::1/x"]) { $1 }, 78),
                (export, good.merging(["DATABASE_URL": "postgresql://a:@\(Self.password)@host:port/x"]) { $1 }, 78),
                (export, good.merging(["ZAPIER_API_URL": "http://u:\(Self.password)@127.0.0.1:9"]) { $1 }, 78),
                (export + ["--database-url", url], good, 78),
            ]
            for call in calls {
                let finished = try await stage.run(call.arguments, changes: call.changes)
                #expect(finished.status == call.status, "\(call.arguments): \(finished.stderr.suffix(800))")
                await transcript.add(finished)
            }
            let text = await transcript.text
            let stored = try await stage.database.everything()
            #expect(!stored.isEmpty && !text.isEmpty)
            for secret in [Self.token, Self.password] {
                #expect(!text.contains(secret), "\(text.split(separator: "\n").filter { $0.contains(secret) })")
                #expect(!stored.contains(secret))
            }
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
