import Foundation
import Postgres
import Testing

import Glibc

/// When answers are committed, and what becomes of an export that cannot commit.
@Suite("Commits")
struct CommitTests {
    @Test func `An answer is committed at once, however long others take`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.endless(3)) { running in
                try await wait("the first answer") { try await stage.sandbox.finals.count == 1 }
                try await wait("its commit") {
                    try await stage.database.count("runs where outcome = 'success'") == 1
                }
                running.send(SIGKILL)
            }
            #expect(export.status == -SIGKILL)
            #expect(try await stage.database.count("results") == 0)
            #expect(
                try await stage.database.rows("select action from export_items where outcome = 'success'") == [
                    "fetched"
                ])
        }
    }

    /// Far longer than an export takes to come to a lock, on a busy machine too.
    private static let timeLimit = "20s"

    @Test func `A lock that somebody holds on a table does not hold the export past its time limit`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(50, .success, 3)
            #expect(try await stage.run("migrate").status == 0)
            let lock = try await TableLock(on: "results", of: stage)
            let export = try await stage.export(manifest, "--time-limit", Self.timeLimit) { running in
                try await wait("the export waits for the lock", during: running) { try await lock.isWaitedFor }
            }
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(export.finished.stderr.contains("the time limit was reached"), "\(export.finished.stderr)")
            await lock.release()
            let next = try await stage.export(manifest)
            #expect(next.status == 0, "\(next.finished.stderr)")
            #expect(try await stage.database.count("results") == 100)
        }
    }

    @Test func `An export that the database breaks off tells what it had done`() async throws {
        // Slow enough for several batches.
        try await Stage.with("--latency", "40") { stage in
            let manifest = Manifest.of(100, .success, 3)
            _ = try await stage.export(Manifest(name: "nothing", runs: []))
            try await stage.database.execute(
                """
                create function public.fill() returns trigger language plpgsql as $$
                begin
                  if (select count(*) from stored_actions.results) >= 60 then
                    raise exception 'no space left' using errcode = '53100';
                  end if;
                  return new;
                end $$
                """)
            try await stage.database.execute(
                "create trigger fill before insert on stored_actions.results for each row execute function public.fill()"
            )
            let export = try await stage.export(manifest, "--concurrency", "2")
            #expect(export.status == 69, "\(export.finished.stderr)")
            let summary = try export.summary
            #expect(summary.manifests == ["today"])
            #expect(summary.items == 100)
            let stored = try await stage.database.count("results")
            #expect(stored > 0 && summary.results == stored)
            #expect(try await summary.requests.total == stage.sandbox.stats.requests)
            try await stage.database.execute("drop function public.fill() cascade")
            #expect(try await stage.export(manifest).status == 0)
            #expect(try await stage.database.count("results") == 200)
        }
    }

    // MARK: What keeps an export waiting

    @Test(arguments: ["the time limit", "a signal"])
    func `An export that is ended while the database keeps it waiting tells what it had stored`(
        _ end: String
    ) async throws {
        try await Stage.with("--latency", "100") { stage in
            // More than it fetches within its time limit.
            let manifest = Manifest.of(1000, .success, 3)
            #expect(try await stage.run("migrate").status == 0)
            let options = end == "the time limit" ? ["--time-limit", Self.timeLimit] : []
            let path = try stage.write(manifest.json, to: "today.json")
            let export = try await stage.run(
                ["export", "--manifest", path, "--json", "--concurrency", "2"] + options
            ) { running in
                try await wait("some rows", during: running) { try await stage.database.count("results") > 10 }
                let lock = try await TableLock(on: "results", of: stage)
                try await wait("the export waits for the lock", during: running) { try await lock.isWaitedFor }
                if end == "a signal" { running.send(SIGTERM) }
                try await wait("the export has ended") { running.hasEnded }
                await lock.release()
            }
            let status: Int32 = end == "the time limit" ? 75 : 143
            #expect(export.status == status, "\(export.stderr)")
            let summary: Summary = try export.decoded()
            #expect(summary.exitStatus == status)
            #expect(summary.outcome == (status == 75 ? "incomplete" : "interrupted"))
            #expect(try await summary.exportId == Int(stage.database.value("select export_id from exports") ?? ""))
            #expect(summary.manifests == ["today"])
            #expect(summary.items == 1000)
            let stored = try await stage.database.count("results")
            #expect(stored > 10 && summary.results == stored)
            #expect(summary.requests.total > 0)
            try await stage.sandbox.change(#"{"latency": 0}"#)
            let rest = try await stage.export(manifest)
            #expect(rest.status == 0, "\(rest.finished.stderr)")
            #expect(try await stage.database.count("results") == 2000)
        }
    }

    @Test(arguments: ["statement_timeout", "lock_timeout"], [[], ["--time-limit", "60s"]])
    func `A limit of the database's own ends an export with 69 and is named`(
        _ setting: String, _ options: [String]
    ) async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(20, .success, 3)
            #expect(try await stage.run("migrate").status == 0)
            let lock = try await TableLock(on: "results", of: stage)
            // For sessions from now on: not for the one that holds the lock.
            try await stage.database.execute(
                "alter database \(quoteIdentifier(stage.database.name)) set \(setting) = '3s'")
            let path = try stage.write(manifest.json, to: "today.json")
            let export = try await stage.run(["export", "--manifest", path, "--json"] + options)
            #expect(export.status == 69, "\(export.stderr)")
            #expect(export.stderr.contains("\(setting) = 3s"), "\(export.stderr)")
            #expect(!export.stderr.contains("interrupted") && !export.stderr.contains("--time-limit"))
            let summary: Summary = try export.decoded()
            #expect(summary.outcome == "failed" && summary.items == 20)
            #expect(try await stage.database.rows("select outcome, exit_status from exports") == ["failed|69"])
            await lock.release()
            #expect(try await stage.export(manifest).status == 0)
        }
    }

    @Test func `A statement that somebody cancels in the database ends the export with 69`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            let lock = try await TableLock(on: "results", of: stage)
            let export = try await stage.export(Manifest.of(5)) { _ in
                try await wait("the export waits for the lock") {
                    try await stage.database.holds(
                        """
                        (select bool_or(pg_catalog.pg_cancel_backend(waiting.pid))
                           from (select pid from pg_catalog.pg_locks
                                  where relation = 'stored_actions.results'::regclass and not granted
                                 offset 0) waiting)
                        """)
                }
            }
            #expect(export.status == 69, "\(export.finished.stderr)")
            #expect(export.finished.stderr.contains("a statement was cancelled"))
            await lock.release()
        }
    }

    // MARK: Limits that are not for this program

    @Test func `Sessions that wait for the API are not ended for being idle`() async throws {
        try await Stage.with("--latency", "1500") { stage in
            #expect(try await stage.run("migrate").status == 0)
            let name = quoteIdentifier(stage.database.name)
            for setting in ["idle_session_timeout", "idle_in_transaction_session_timeout"] {
                try await stage.database.execute("alter database \(name) set \(setting) = '200ms'")
            }
            try await stage.database.execute("alter database \(name) set default_transaction_isolation = serializable")
            let export = try await stage.export(Manifest.of(2), "--concurrency", "1") { _ in
                try await wait("the lock is held") {
                    try await stage.database.count("pg_locks where locktype = 'advisory' and granted") > 0
                }
            }
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try await stage.database.count("exports") == 1)
        }
    }
}
