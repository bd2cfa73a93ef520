import Foundation
import Postgres
import Testing

/// A host whose clock is wrong: what decides about data is the database's.
@Suite("Wrong clocks")
struct ClockTests {
    private static let month = 30 * 86_400

    private static func warnings(_ finished: Program.Finished) -> Int {
        finished.stderr.split(separator: "\n").count { $0.contains("the clock of this host is") }
    }

    @Test(arguments: [month, -month, 7200])
    func `No run expires, and none stays young, by the host's clock`(ahead: Int) async throws {
        try await Stage.with { stage in
            let clock = try await ShiftedClock(in: stage.folder).ahead(by: ahead)
            let dated = Manifest.Run(.missing, number: 1, executed: .daysAgo(1))
            let undated = Manifest.Run(.missing, number: 2)
            let old = Manifest.Run(.missing, number: 3, executed: .daysAgo(8))
            let done = Manifest.Run(.success, 1, number: 4, executed: .daysAgo(2))
            let export = try await stage.export(Manifest(runs: [dated, undated, old, done]), changes: clock)
            #expect(export.status == 3, "\(export.finished.stderr)")
            #expect(Self.warnings(export.finished) == 1, "\(export.finished.stderr)")
            #expect(
                try await stage.database.rows("select run_id, outcome, evidence from runs order by run_id")
                    == [
                        "\(done.id)|success|", "\(dated.id)|not_found|", "\(undated.id)|expired|age_unknown",
                        "\(old.id)|expired|past_retention",
                    ])
            #expect(
                try await stage.database.holds(
                    """
                    (select bool_and(first_seen_at between now() - interval '2 minutes' and now()
                                     and checked_at between now() - interval '2 minutes' and now()
                                     and expires_at = coalesce(executed_at, first_seen_at) + interval '7 days')
                       from stored_actions.runs)
                    """))
            #expect(
                try await stage.database.holds(
                    "(select fetched_at > now() - interval '2 minutes' from stored_actions.runs where outcome = 'success')"
                ))
            // Once the clock is right, what was young is asked for again, and nothing else.
            let right = try await stage.export(Manifest(runs: [dated, undated, old, done]))
            #expect(try right.summary.alreadySettled == 2)
            #expect(Self.warnings(right.finished) == 0)
        }
    }

    @Test func `prune and status reckon ages by the database's clock`() async throws {
        try await Stage.with { stage in
            let clock = try await ShiftedClock(in: stage.folder).ahead(by: Self.month * 4)
            let soon = Manifest.Run(.pending, number: 9, executed: .daysAgo(6))
            _ = try await stage.export(
                Manifest(runs: Manifest.of(3, .success, 2).runs + [soon]), "--max-wait", "0")
            let pruned = try await stage.run(["prune", "--older-than", "90d", "--json"], changes: clock)
            #expect(pruned.status == 0)
            #expect(try pruned.decoded(PruneTests.Told.self).runs == 0)
            #expect(try await stage.database.count("results") == 3)
            #expect(Self.warnings(pruned) == 1)
            let status = try await stage.run(["status", "--json"], changes: clock)
            let left = try status.object()["left"] as? [String: Any]
            #expect((left?["next_to_expire"] as? [[String: Any]])?.count == 1)
            #expect(Self.warnings(status) == 1)

            try await stage.database.age(days: 100)
            let behind = try await ShiftedClock(in: stage.folder).ahead(by: -Self.month * 4)
            let told: PruneTests.Told = try await stage.run(
                ["prune", "--older-than", "90d", "--json"], changes: behind
            )
            .decoded()
            #expect(told.runs == 3)
            #expect(
                try await stage.database.count("runs where pruned_at between now() - interval '2 minutes' and now()")
                    == 3)
        }
    }

    @Test(arguments: [month, -month])
    func `The rate window is kept under a wrong clock, and no time limit is over before its time`(
        ahead: Int
    ) async throws {
        try await Stage.with("--limit", "20", "--window", "2") { stage in
            let clock = try await ShiftedClock(in: stage.folder).ahead(by: ahead)
            let export = try await stage.export(Manifest.of(50), "--time-limit", "1h", changes: clock)
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.summary.rateLimited == 0)
            // 16 of the 20 are this program's, so three windows are spent before the last two may go.
            #expect(export.finished.windowsWaitedFor() <= 3, "\(export.finished.stderr)")
        }
    }

    @Test(arguments: [month, -month])
    func `The time limit is kept under a wrong clock`(ahead: Int) async throws {
        try await Stage.with("--limit", "10", "--window", "600") { stage in
            let clock = try await ShiftedClock(in: stage.folder).ahead(by: ahead)
            // It is over before the next window begins, so the export ends as soon as this one is spent.
            let cut = try await stage.export(
                Manifest.of(30), "--budget-share", "1", "--time-limit", "500s", changes: clock)
            #expect(cut.status == 75, "\(cut.finished.stderr)")
            #expect(cut.finished.stdout.contains("come back at"), "\(cut.finished.stdout)")
            #expect(try cut.summary.met == ["success": 10, "queued": 20])
        }
    }

    @Test(arguments: [("3600", 1), ("-3600", 1), ("30", 0)])
    func `An API whose Date is over a minute from the database's time is reported once`(
        _ offset: String, _ warnings: Int
    ) async throws {
        try await Stage.with("--clock-offset=\(offset)") { stage in
            let export = try await stage.export(Manifest.of(40))
            #expect(export.status == 0)
            let told = export.finished.stderr.split(separator: "\n").count {
                $0.contains("the API's (its Date header)")
            }
            #expect(told == warnings, "\(export.finished.stderr)")
            #expect(Self.warnings(export.finished) == 0)
        }
    }

    @Test func `check warns of a host's clock that is wrong`() async throws {
        try await Stage.with { stage in
            let clock = try await ShiftedClock(in: stage.folder).ahead(by: 600)
            #expect(Self.warnings(try await stage.run(["check"], changes: clock)) == 1)
            #expect(Self.warnings(try await stage.run(["check"])) == 0)
        }
    }
}
