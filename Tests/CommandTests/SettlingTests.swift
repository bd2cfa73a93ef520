import Foundation
import Postgres
import Testing

/// What a later export asks for again, and what it may change of what is stored.
@Suite("Settled and unsettled runs")
struct SettlingTests {
    @Test func `Settled runs are asked for once, unsettled ones by each export`() async throws {
        let old = Date.daysAgo(8)
        let settled = [
            Manifest.Run(.success, 3, number: 1), Manifest.Run(.error, number: 2),
            Manifest.Run(.missing, number: 3, executed: old), Manifest.Run(.gone, number: 4, executed: old),
            Manifest.Run(.forbidden, number: 5, executed: old), Manifest.Run(.conflict, number: 6, executed: old),
        ]
        let unsettled = [
            Manifest.Run(.missing, number: 11), Manifest.Run(.missing, number: 12, executed: .daysAgo(1)),
            Manifest.Run(.forbidden, number: 13), Manifest.Run(.badRequest, number: 14),
            Manifest.Run(.waiting, number: 15), Manifest.Run(.pending, number: 16),
            Manifest.Run(.unknownStatus, number: 17),
        ]
        try await Stage.with { stage in
            let manifest = Manifest(runs: settled + unsettled)
            for call in 1...3 {
                let summary = try await stage.export(manifest, "--max-wait", "0").summary
                #expect(summary.alreadySettled == (call == 1 ? 0 : settled.count))
                #expect(summary.items == manifest.runs.count)
                let asked = try await stage.sandbox.requestsByRun
                for run in settled { #expect(asked[run.id] == 1, "\(run.id) in call \(call)") }
                for run in unsettled.dropLast() { #expect(asked[run.id] == call, "\(run.id) in call \(call)") }
                let last = try #require(unsettled.last)
                #expect(asked[last.id, default: 0] >= call)
                let id = summary.exportId
                #expect(
                    try await stage.database.value("select already_settled from exports where export_id = \(id)")
                        == "\(summary.alreadySettled)")
                #expect(
                    try await stage.database.count("export_items where export_id = \(id)")
                        == manifest.runs.count - summary.alreadySettled)
            }
        }
    }

    @Test func `A complete export repeated asks for nothing and stores nothing`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(20)
            let first = try await stage.export(manifest)
            #expect(first.status == 0)
            let before = try await stage.database.rows("select * from runs order by run_id")
            let second = try await stage.export(manifest)
            let summary = try second.summary
            #expect(second.status == 0)
            #expect(summary.requests.total == 0)
            #expect(summary.results == 0)
            #expect(summary.alreadySettled == 20)
            #expect(summary.met == ["success": 20])
            #expect(try await stage.database.rows("select * from runs order by run_id") == before)
        }
    }

    @Test func `Refetching asks for settled runs by GET and puts the new rows in the old ones' place`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [
                Manifest.Run(.success, 5, number: 1), Manifest.Run(.error, 2, number: 2),
                Manifest.Run(.bulkStrings, 3, number: 0x0001_0000_0004),
            ])
            let first = try await stage.export(manifest).summary
            // As if the API had said something else the first time.
            try await stage.database.execute(
                """
                update stored_actions.results set payload = '"old"';
                update stored_actions.errors set title = 'old';
                """)
            let second = try await stage.export(manifest, "--refetch")
            let summary = try second.summary
            #expect(second.status == 0)
            #expect(summary.requests.total == 3)
            #expect(summary.results == first.results)
            #expect(summary.errors == first.errors)
            #expect(try await stage.sandbox.requestsByRun.values.allSatisfy { $0 == 2 })
            #expect(try await stage.sandbox.stats.requests == 6)
            #expect(try await stage.database.count("results where payload = '\"old\"'") == 0)
            #expect(try await stage.database.count("errors where title = 'old'") == 0)
            #expect(try await stage.database.count("results where export_id = \(summary.exportId)") == first.results)
            #expect(try await stage.database.count("runs where export_id = \(summary.exportId)") == 3)
        }
    }

    @Test(arguments: [#"{"lose_everything": true}"#, #"{"down": true}"#])
    func `Refetching keeps what is stored when the answer is no 200, and says so`(
        _ trouble: String
    ) async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [
                Manifest.Run(.success, 5, number: 1, executed: .daysAgo(1)), Manifest.Run(.error, 2, number: 2),
            ])
            _ = try await stage.export(manifest)
            let tables = { () async throws -> [String] in
                var all = try await stage.database.rows(
                    """
                    select run_id, outcome, status, result_count, error_count, fetched_at, export_id
                      from runs order by run_id
                    """
                )
                all += try await stage.database.rows("select * from results order by run_id, item_index")
                all += try await stage.database.rows("select * from errors order by run_id, error_index")
                return all
            }
            let before = try await tables()
            try await stage.sandbox.change(trouble)
            let path = stage.folder.appending(path: "today.json").path
            let finished = try await stage.run("export", "--manifest", path, "--refetch")
            #expect(try await tables() == before)
            #expect(finished.stdout.contains("2 runs gave nothing better this time"), "\(finished.stdout)")
            #expect(try await stage.database.count("expired_runs") == 0)
        }
    }

    @Test func `A result is never lost to a later answer`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [Manifest.Run(.success, 4, number: 1), Manifest.Run(.error, number: 2)])
            _ = try await stage.export(manifest)
            for trouble in [#"{"lose_everything": true}"#, #"{"lose_everything": false, "forbid_everything": true}"#] {
                try await stage.sandbox.change(trouble)
                _ = try await stage.export(manifest, "--refetch")
                _ = try await stage.export(manifest)
                #expect(
                    try await stage.database.rows("select outcome from runs order by run_id") == ["success", "error"])
                #expect(try await stage.database.count("results") == 3)
            }
        }
    }

    @Test func `A run that gets its 200 at last loses its API errors`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(3)
            try await stage.sandbox.change(#"{"lose_everything": true}"#)
            _ = try await stage.export(manifest)
            #expect(try await stage.database.count("api_errors") == 3)
            #expect(try await stage.database.count("expired_runs where evidence = 'age_unknown'") == 3)
            try await stage.sandbox.change(#"{"lose_everything": false}"#)
            let export = try await stage.export(manifest)
            #expect(export.status == 0)
            #expect(try export.summary.met == ["success": 3])
            #expect(try await stage.database.count("api_errors") == 0)
            #expect(try await stage.database.count("expired_runs") == 0)
        }
    }

    @Test func `Unsettled runs of earlier manifests are reported, with the command that fetches them`() async throws {
        try await Stage.with { stage in
            let soon = Date.daysAgo(6.5)
            let earlier = Manifest(
                name: "earlier",
                runs: [
                    Manifest.Run(.pending, number: 1, executed: .daysAgo(1)),
                    Manifest.Run(.waiting, number: 2, executed: soon), Manifest.Run(.success, 1, number: 3),
                ])
            _ = try await stage.export(earlier, "--max-wait", "0")
            let summary = try await stage.export(Manifest.of(2, from: 50)).summary
            #expect(summary.unfinishedElsewhere == 2)
            let path = stage.folder.appending(path: "today.json").path
            let finished = try await stage.run("export", "--manifest", path)
            #expect(finished.stdout.contains("stored-actions export --unfinished"))
            let expiry = soon.addingTimeInterval(7 * 86_400).formatted(.iso8601)
            #expect(finished.stdout.contains(expiry), "\(finished.stdout)")
        }
    }

    @Test func `Exporting the unfinished fetches what is left, the soonest expiry first`() async throws {
        try await Stage.with { stage in
            let runs = (1...8).map { Manifest.Run(.success, 2, number: UInt64($0), executed: .daysAgo(Double($0) / 2)) }
            let left = Manifest(name: "left", runs: runs.shuffled())
            try await stage.sandbox.change(#"{"down": true}"#)
            #expect(try await stage.export(left).status == 75)
            _ = try await stage.export(Manifest.of(2, from: 90, name: "other"))
            try await stage.sandbox.change(#"{"down": false, "latency": 20}"#)
            let finished = try await stage.run("export", "--unfinished", "--json", "--concurrency", "1")
            let summary: Summary = try finished.decoded()
            #expect(finished.status == 0)
            #expect(summary.manifests == [])
            #expect(summary.items == 10)
            #expect(summary.met == ["success": 10])
            // The oldest run expires first.
            #expect(
                try await stage.database.rows(
                    "select run_id from runs where executed_at is not null order by fetched_at")
                    == runs.reversed().map(\.id))
            let again = try await stage.run("export", "--unfinished", "--json")
            let none: Summary = try again.decoded()
            #expect(again.status == 0)
            #expect(none.items == 0)
        }
    }
}
