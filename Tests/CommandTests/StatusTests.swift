import Foundation
import Postgres
import Testing

import Glibc

/// What `status` says to an operator who was called.
@Suite("status and its --check")
struct StatusTests {
    private func status(_ stage: Stage, _ options: String...) async throws -> (Int32, [String: Any]) {
        let finished = try await stage.run(["status", "--json"] + options)
        return (finished.status, try finished.object())
    }

    private func exports(_ object: [String: Any]) -> [[String: Any]] { object["exports"] as? [[String: Any]] ?? [] }

    @Test func `It says why each export ended, what fails most, and when the API last answered`() async throws {
        try await Stage.with { stage in
            let failing = (1...3).map { Manifest.Run(.unknownStatus, number: $0) }
            let forbidden = [Manifest.Run(.forbidden, number: 10), Manifest.Run(.forbidden, number: 11)]
            let good = Manifest.of(25, .success, 1, from: 100).runs
            let first = try await stage.export(Manifest(runs: failing + forbidden + good))
            #expect(first.status == 75, "\(first.finished.stderr)")
            let refused = try await stage.export(.of(1, from: 900), changes: ["ZAPIER_ACCESS_TOKEN": "wrong"])
            #expect(refused.status == 77)
            let found = try await stage.export(Manifest(name: "found", runs: forbidden + good))
            #expect(found.status == 3)
            #expect(try await stage.export(Manifest(name: "good", runs: good)).status == 0)

            let (code, object) = try await status(stage)
            #expect(code == 0)
            #expect(object["account"] as? String == "default")
            let exports = exports(object)
            #expect(exports.map { $0["exit_status"] as? Int } == [0, 3, 77, 75])
            #expect(exports[0]["reason"] == nil)
            #expect(exports[1]["reason"] as? String == "found: 2 forbidden")
            #expect((exports[2]["reason"] as? String)?.contains("refused the credentials") == true)
            #expect(exports[3]["reason"] as? String == "left: 3 failed")
            let left = object["left"] as? [String: Any]
            let failures = left?["failures"] as? [[String: Any]] ?? []
            #expect(failures.map { $0["runs"] as? Int } == [3, 2])
            #expect(failures.map { $0["outcome"] as? String } == ["failed", "forbidden"])
            #expect((failures[0]["failure"] as? String)?.isEmpty == false)
            #expect(failures[1]["failure"] as? String == "403 permission_denied")
            #expect(object["api_answered_at"] as? String != nil)
            let text = try await stage.run("status")
            for part in ["the API last answered", "403 permission_denied", "left: 3 failed"] {
                #expect(text.stdout.contains(part), "\(text.stdout)")
            }
            #expect(
                try await stage.database.holds(
                    "(select bool_and(answered_at between started_at and finished_at) from exports where requests > 0)")
            )
        }
    }

    @Test func `It tells an export that runs from one that was killed, and who holds the lock since when`() async throws
    {
        try await Stage.with { stage in
            let manifest = Manifest.endless(2)
            let killed = try await stage.export(manifest, "--time-limit", "1h") { running in
                try await wait("one is stored") { try await stage.database.storedSuccesses == 1 }
                let (code, object) = try await status(stage, "--check")
                #expect(code == 0)
                #expect(exports(object).first?["is_alive"] as? Bool == true)
                let lock = try #require((object["locks"] as? [[String: Any]])?.first)
                #expect(lock["name"] as? String == "today")
                #expect(lock["process_id"] as? Int == Int(running.pid))
                #expect(lock["host"] as? String == ProcessInfo.processInfo.hostName)
                #expect(lock["export_id"] as? Int == 1)
                for key in [
                    "server_process", "application", "connected_at", "started_at", "progress_at", "time_limit_at",
                ] {
                    #expect(lock[key] != nil, "\(key)")
                }
                let text = try await stage.run("status")
                #expect(text.stdout.contains("alive: process \(running.pid) on "), "\(text.stdout)")
                running.send(SIGKILL)
            }
            #expect(killed.status == -SIGKILL)
            try await stage.waitForSessionsToEnd()
            let (_, object) = try await status(stage)
            #expect(exports(object).first?["is_alive"] as? Bool == false)
            #expect((object["locks"] as? [Any])?.isEmpty == true)
            #expect(try await stage.run("status").stdout.contains("not alive"))
            // The next export of the manifest says so in the row.
            #expect(try await stage.export(.of(1)).status == 0)
            let (_, next) = try await status(stage)
            #expect((exports(next).last?["reason"] as? String)?.contains("killed") == true)
        }
    }

    @Test(arguments: ["runs", "exports", "rejects", "schema_migrations"])
    func `It waits behind nobody's lock, and says who holds it`(_ table: String) async throws {
        try await Stage.with { stage in
            #expect(try await stage.export(.of(1)).status == 0)
            let lock = try await TableLock(on: table, of: stage)
            let finished = try await stage.run("status", "--json")
            #expect(finished.status == 75, "\(finished.stderr)")
            let error = try finished.object()["error"] as? String ?? ""
            #expect(error.contains("server process \(lock.pid)") && error.contains(table), "\(error)")
            await lock.release()
            #expect(try await stage.run("status").status == 0)
        }
    }

    // MARK: --check

    private static let troubles: [(what: String, sql: String, status: Int32, says: String)] = [
        ("nothing", "select", 0, ""),
        (
            "parts that PostgreSQL refused",
            """
            insert into rejects (stored_action_id, run_id, what, position, reason, export_id)
            select stored_action_id, run_id, 'result', 0, 'test', 1 from runs
            """, 3, "rejects"
        ),
        (
            "a page in doubt",
            """
            insert into page_chains (stored_action_id, root_run_id, pages, end_reason, first_page, max_pages, inputs_hash,
                                     export_id)
            select stored_action_id, run_id, 1, 'submit_unknown', '0', 10, '', 1 from runs
            """, 4, "in doubt"
        ),
        ("an export that ended for its settings", "update exports set exit_status = 78, outcome = 'failed'", 4, "78"),
        (
            "an export that ended for its credentials", "update exports set exit_status = 77, outcome = 'failed'", 4,
            "77"
        ),
        (
            "an export past its time limit",
            """
            select pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended('stored-actions export today', 0));
            update exports set outcome = 'running', exit_status = null, started_at = pg_catalog.clock_timestamp(),
                               time_limit_at = now() - interval '1 minute'
            """, 4, "hangs"
        ),
    ]

    @Test(arguments: troubles.indices)
    func `--check exits with 4 where a person has to act, with 3 where something was found, else with 0`(
        _ index: Int
    ) async throws {
        let (what, sql, code, says) = Self.troubles[index]
        try await Stage.with { stage in
            #expect(try await stage.export(.of(1)).status == 0)
            try await stage.database.execute(sql)
            let (status, object) = try await status(stage, "--check")
            #expect(status == code, "\(what): \(object)")
            let points = object["attention"] as? [String] ?? []
            #expect(points.count == (code == 0 ? 0 : 1), "\(what): \(points)")
            #expect(points.first?.contains(says) != false, "\(what): \(points)")
            // Without the flag it is told all the same.
            let plain = try await stage.run("status")
            #expect(plain.status == 0)
            #expect(plain.stdout.contains("needs attention") == (code != 0), "\(plain.stdout)")
            #expect(try await stage.run("status", "--check", "--export", "1").status == 64)
        }
    }
}
