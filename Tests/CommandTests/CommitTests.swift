import Foundation
import Postgres
import Testing

#if canImport(Glibc)
    import Glibc
#endif

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

    @Test func `A lock that somebody holds on a table does not hold the export past its time limit`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(50, .success, 3)
            #expect(try await stage.run("migrate").status == 0)
            let name = stage.database.name
            let locker = Task {
                let connection = try await PostgresConnection(PostgresConfiguration(connectionString: "dbname=\(name)"))
                try await connection.transaction { transaction in
                    try transaction.execute(script: "lock table stored_actions.results in access exclusive mode")
                    _ = try transaction.query("select pg_sleep(3600)")
                }
            }
            try await wait("the lock") {
                try await stage.database.count("pg_locks where relation = 'results'::regclass and granted") > 0
            }
            let export = try await stage.export(manifest, "--time-limit", "1s")
            #expect(export.status == 75, "\(export.finished.stderr)")
            locker.cancel()
            _ = await locker.result
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
}
