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
}
