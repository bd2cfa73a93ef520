import Foundation
import Postgres
import Testing

/// An API that misbehaves: what was fetched stays, what was not is tried again, and no run is stored by halves.
@Suite("Faults of the API")
struct FaultTests {
    @Test func `Faults by chance leave what a faultless API leaves`() async throws {
        let manifest = Manifest(
            name: "faulty",
            runs: (0..<120).map { number in
                Manifest.Run(number % 6 == 0 ? .error : .success, 0, number: number, executed: .daysAgo(1))
            })
        let calm = try await Stage.with { stage in
            _ = try await stage.export(manifest)
            return try await StoredRows(in: stage.database)
        }
        try await Stage.with("--fault-rate", "0.3", "--latency-jitter", "30") { stage in
            var status: Int32 = 75
            for _ in 1...4 where status == 75 {
                let export = try await stage.export(manifest)
                status = export.status
                #expect(status == 0 || status == 75)
            }
            #expect(status == 0)
            let stored = try await StoredRows(in: stage.database)
            #expect(stored == calm)
        }
    }

    @Test func `An API that goes down in the middle leaves 75 and what was fetched, and the next call continues`()
        async throws
    {
        try await Stage.with("--latency", "100") { stage in
            let manifest = Manifest.of(80, .success, 3)
            let export = try await stage.export(manifest, "--concurrency", "4") { _ in
                try await wait("some answers") { try await stage.sandbox.stats.requests > 20 }
                try await stage.sandbox.change(#"{"down": true, "latency": 0}"#)
            }
            let summary = try export.summary
            #expect(export.status == 75, "\(export.finished.stderr)")
            let fetched = summary.outcomes["success", default: 0]
            #expect((1..<80).contains(fetched))
            #expect(fetched + summary.outcomes["failed", default: 0] + summary.outcomes["queued", default: 0] == 80)
            #expect(try await stage.database.count("results") == fetched * 2)
            try await stage.sandbox.change(#"{"down": false}"#)
            let next = try await stage.export(manifest)
            #expect(next.status == 0)
            #expect(try next.summary.alreadySettled == fetched)
            #expect(try await stage.database.count("results") == 160)
            #expect(try await stage.database.count("api_errors") == 0)
        }
    }

    @Test func `A redirect is not followed`() async throws {
        try await Stage.with { stage in
            let run = Manifest.Run(.redirect, 3, number: 5)
            let export = try await stage.export(Manifest(runs: [run, Manifest.Run(.success, 1, number: 6)]))
            #expect(export.status == 75)
            let target = Manifest.Run(.success, 3, number: 5)
            #expect(try await stage.sandbox.requestsByRun[target.id] == nil)
            #expect(try await stage.database.count("results") == 0)
        }
    }

    @Test func `An unknown status and another run's id are not retried within the export`() async throws {
        try await Stage.with { stage in
            let runs = [Manifest.Run(.unknownStatus, number: 1), Manifest.Run(.success, 2, number: 3)]
            let export = try await stage.export(Manifest(runs: runs))
            #expect(export.status == 75)
            #expect(try export.summary.met == ["failed": 1, "success": 1])
            #expect(try await stage.sandbox.requestsByRun[runs[0].id] == 1)
            #expect(try await stage.database.count("results where run_id = '\(runs[0].id)'") == 0)
        }
    }

    @Test func `A slow body, one in drips and one that stalls are waited for`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [
                Manifest.Run(.slow, 200, number: 1), Manifest.Run(.stall, 200, number: 2),
                Manifest.Run(.drip, 2, number: 3), Manifest.Run(.gzip, 5, number: 4),
            ])
            let export = try await stage.export(manifest)
            #expect(export.status == 0)
            #expect(try await stage.sandbox.stats.requests == 4)
        }
    }

    @Test func `A run that gets no answer, though it expires first, keeps no other from being fetched`() async throws {
        try await Stage.with { stage in
            let mute = Manifest.Run(.noAnswer, number: 1, executed: .daysAgo(6))
            let manifest = Manifest(runs: [mute] + Manifest.of(5, .success, 3).runs)
            let export = try await stage.export(manifest)
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["failed": 1, "success": 5])
            let again = try await stage.export(manifest)
            // The only answer that this call could have is the one that never comes.
            #expect(again.status == 69)
            #expect(try again.summary.met == ["failed": 1, "success": 5])
        }
    }

    @Test func `An API that takes requests and never answers anybody counts as out of reach`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.of(40, .noAnswer))
            #expect(export.status == 69, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["queued": 40])
            #expect(try export.summary.requests.total <= 40)
        }
    }

    @Test func `A time limit that passes while no connection can be made is reported as 69, which ranks higher`()
        async throws
    {
        try await Stage.with { stage in
            let nobody = "http://127.0.0.1:1"
            let export = try await stage.export(
                Manifest.of(3), "--time-limit", "1s", changes: ["ZAPIER_API_URL": nobody])
            #expect(export.status == 69, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["queued": 3])
        }
    }
}
