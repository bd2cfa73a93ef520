import Foundation
import Postgres
import Testing

/// A database that goes away in the middle of an export.
@Suite("Faults of the database", .serialized)
struct DatabaseFaultTests {
    @Test func `An export whose database crashes and comes back goes on, and leaves what an undisturbed one leaves`()
        async throws
    {
        let undisturbed = try await Stage.with("--seed", "3") { stage in
            _ = try await stage.export(KillTests.manifest)
            return try await KillTests.stored(in: stage.database)
        }
        try await Stage.with("--seed", "3", "--latency", "100", "--latency-jitter", "50") { stage in
            try await PrivateCluster.with { cluster in
                let changes = cluster.environment.mapValues(Optional.some)
                let export = try await stage.export(
                    KillTests.manifest, "--concurrency", "8", changes: changes
                ) { _ in
                    for moment in [60, 160] {
                        try await wait("request \(moment)") { try await stage.sandbox.stats.requests >= moment }
                        try await cluster.crash()
                        try await cluster.start()
                    }
                }
                #expect(export.status == 3, "\(export.finished.stderr)")
                let summary = try export.summary
                #expect(summary.items == 300)
                let database = try await cluster.database()
                let rows = try await KillTests.stored(in: database)
                #expect(rows.count == undisturbed.count)
                #expect(rows == undisturbed)
                #expect(try await database.rows("select outcome, exit_status from exports") == ["complete|3"])
                #expect(try await database.count("results") == summary.results)
            }
        }
    }

    @Test func `A database that is gone for good ends the export with 69 in bounded time, and the next call continues`()
        async throws
    {
        try await Stage.with("--latency", "100") { stage in
            try await PrivateCluster.with { cluster in
                let changes = cluster.environment.mapValues(Optional.some)
                let manifest = Manifest.of(100, .success, 3)
                let export = try await stage.export(
                    manifest, "--concurrency", "4", changes: changes, limit: .seconds(150)
                ) { _ in
                    try await wait("some answers") { try await stage.sandbox.stats.requests > 40 }
                    try await cluster.crash()
                }
                #expect(export.status == 69, "\(export.finished.stderr)")
                #expect(try export.finished.object()["exit_status"] as? Int == 69)
                try await cluster.start()
                let next = try await stage.export(manifest, changes: changes)
                #expect(next.status == 0)
                #expect(try next.summary.alreadySettled > 0)
                let database = try await cluster.database()
                #expect(try await database.count("results") == 200)
                #expect(
                    try await database.rows("select outcome from exports order by export_id")
                        == ["interrupted", "complete"])
            }
        }
    }

    @Test func `A database that runs full in the middle ends the export with 69, and the next call continues`()
        async throws
    {
        try await Stage.with("--latency", "20") { stage in
            let manifest = Manifest.of(300, .success, 3)
            #expect(try await stage.run("migrate").status == 0)
            try await stage.database.execute(
                """
                create sequence rows_taken;
                create function refuse() returns trigger language plpgsql as $$
                begin
                  if nextval('stored_actions.rows_taken') > 100 then
                    raise exception 'no space left on device' using errcode = '53100';
                  end if;
                  return new;
                end $$;
                create trigger runs_full before insert on results for each row execute function refuse();
                """)
            let export = try await stage.export(manifest)
            #expect(export.status == 69, "\(export.finished.stderr)")
            #expect(export.finished.stderr.contains("no space left"))
            #expect(
                try await stage.database.rows("select outcome, exit_status from exports") == ["failed|69"])
            #expect(try await stage.database.count("results") <= 100)

            try await stage.database.execute("drop trigger runs_full on results")
            let next = try await stage.export(manifest)
            #expect(next.status == 0)
            #expect(try await stage.database.count("results") == 600)
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
                    _ = try transaction.query("select pg_sleep(60)")
                }
            }
            try await wait("the lock") {
                try await stage.database.count("pg_locks where relation = 'results'::regclass and granted") > 0
            }
            let begin = ContinuousClock.now
            let export = try await stage.export(manifest, "--time-limit", "1s")
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(begin.duration(to: .now) < .seconds(20))
            locker.cancel()
            _ = await locker.result
            let next = try await stage.export(manifest)
            #expect(next.status == 0, "\(next.finished.stderr)")
            #expect(try await stage.database.count("results") == 100)
        }
    }
}
