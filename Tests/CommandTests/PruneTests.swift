import Foundation
import Postgres
import Testing

import Glibc

/// Forgetting on purpose.
@Suite("prune")
struct PruneTests {
    struct Told: Decodable, Sendable {
        struct Kept: Decodable, Sendable, Equatable {
            let unsettled: Int
            let ofOpenChains: Int
        }

        let exitStatus: Int32
        let dryRun: Bool
        let storedActionId: String?
        let runs: Int
        let rows: [String: Int]
        let bytes: Int
        let kept: Kept?
        let error: String?
    }

    private static let mixed = Manifest(
        runs: Manifest.of(20, .success, 4).runs + [
            Manifest.Run(.error, number: 101), Manifest.Run(.missing, number: 102, executed: .daysAgo(9)),
            Manifest.Run(.pending, number: 103), Manifest.Run(.conflict, number: 104, executed: .daysAgo(8)),
            Manifest.Run(.successEmpty, number: 105),
        ])

    private static let tables = ["results", "errors", "api_errors", "rejects", "run_bodies"]

    private static func counts(_ database: TestDatabase) async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for table in tables { counts[table] = try await database.count(table) }
        return counts
    }

    // MARK: What goes and what stays

    @Test func `Old results, errors and bodies go, and nothing that was pruned is fetched again`() async throws {
        try await Stage.with { stage in
            let first = try await stage.export(Self.mixed, "--max-wait", "0")
            #expect(first.status == 75)
            try await stage.database.age(days: 100)
            let before = try await Self.counts(stage.database)
            #expect(before["results"] == 60)
            let requests = try await stage.sandbox.stats.requests
            let told: Told = try await stage.run("prune", "--older-than", "90d", "--dry-run", "--json").decoded()
            #expect(told.exitStatus == 0 && told.dryRun)
            #expect(try await Self.counts(stage.database) == before)
            #expect(try await stage.database.count("runs where pruned_at is not null") == 0)
            let pruned: Told = try await stage.run("prune", "--older-than", "90d", "--json").decoded()
            #expect(!pruned.dryRun)
            #expect(pruned.runs == 24 && told.runs == 24)
            #expect(pruned.rows == before && told.rows == before)
            #expect(pruned.bytes == told.bytes && pruned.bytes > 0)
            #expect(pruned.kept == Told.Kept(unsettled: 0, ofOpenChains: 0))
            let left = try await Self.counts(stage.database)
            #expect(left.values.allSatisfy { $0 == 0 }, "\(left)")
            #expect(try await stage.database.count("runs where (pruned_at is null) <> (outcome = 'pending')") == 0)
            #expect(try await stage.database.count("runs where outcome = 'success' and result_count = 3") == 20)
            #expect(try await stage.sandbox.stats.requests == requests)

            let next = try await stage.export(Self.mixed, "--max-wait", "0")
            let summary = try next.summary
            #expect(next.status == 75, "\(next.finished.stderr)")
            #expect(summary.requests.total == 1)
            #expect(summary.alreadySettled == 24)
            #expect(try await stage.database.count("results") == 0)
            #expect(try await stage.database.count("expired_runs") == 1)
        }
    }

    @Test func `It says for people what went, from when on, and why the rest is kept`() async throws {
        try await Stage.with("--run-limit", "1", "--window", "600") { stage in
            let chains = Manifest.following([Chain(number: 1, pages: 4)])
            let cut = try await stage.export(chains, "--budget-share", "1", "--time-limit", "20s")
            #expect(cut.status == 75, "\(cut.finished.stderr)")
            _ = try await stage.export(Manifest.of(2, .success, 2, name: "other"))
            try await stage.database.age(days: 100)
            let told = try await stage.run("prune", "--older-than", "90d", "--dry-run")
            #expect(told.status == 0)
            #expect(told.stdout.contains("would be pruned: 2 runs answered before 20"), "\(told.stdout)")
            #expect(told.stdout.contains("2 runs of chains that have not come to their end"), "\(told.stdout)")
            let pruned = try await stage.run("prune", "--older-than", "90d")
            #expect(pruned.stdout.contains("pruned: 2 runs answered before 20"), "\(pruned.stdout)")
            let again = try await stage.run("prune", "--older-than", "90d")
            #expect(again.status == 0)
            #expect(again.stdout.contains("nothing was pruned"), "\(again.stdout)")
            #expect(!again.stderr.contains("younger than seven days"))
            let young = try await stage.run("prune", "--older-than", "6d", "--dry-run")
            #expect(young.stderr.contains("younger than seven days"), "\(young.stderr)")

            // The chain goes on from pages that a later prune may take.
            try await stage.sandbox.change(#"{"run_limit": 0}"#)
            #expect(try await stage.export(chains).status == 0)
            try await stage.expectWhole(Chain(number: 1, pages: 4))
        }
    }

    @Test func `One stored action alone is pruned when --stored-action names it`() async throws {
        try await Stage.with { stage in
            let other = Chain.Action.read.id(7)
            var manifest = Manifest.of(4, .success, 2)
            manifest.runs[0].action = other
            #expect(try await stage.export(manifest).status == 0)
            try await stage.database.age(days: 100)
            let told: Told = try await stage.run(
                "prune", "--older-than", "2160h", "--stored-action", other.uppercased(), "--json"
            ).decoded()
            #expect(told.runs == 1)
            #expect(told.storedActionId == other)
            #expect(
                try await stage.database.rows("select stored_action_id from runs where pruned_at is not null") == [
                    other
                ])
            #expect(try await stage.database.count("results") == 3)
        }
    }

    @Test func `A chain whose pages are pruned goes on when a later manifest lets it`() async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 5)
            #expect(try await stage.export(Manifest.following([chain], maxPages: 2)).status == 3)
            try await stage.database.age(days: 100)
            let told: Told = try await stage.run("prune", "--older-than", "90d", "--json").decoded()
            #expect(told.runs == 2 && told.rows["results"] == 4)
            let next = try await stage.export(Manifest.following([chain]))
            #expect(next.status == 0, "\(next.finished.stderr)")
            #expect(try await stage.end(of: chain) == "5|10|last_page")
            #expect(try await stage.sandbox.posts(of: chain) == stage.oncePosted(chain, [0, 1, 2, 3, 4]))
            #expect(
                try await stage.database.rows("select distinct page_number from paged_results order by 1") == [
                    "2", "3", "4",
                ])
            // A root that was pruned before anybody asked for its pages.
            let late = Chain(number: 2)
            #expect(try await stage.export(Manifest.following([late], follow: false)).status == 0)
            try await stage.database.age(days: 100)
            _ = try await stage.run("prune", "--older-than", "90d")
            #expect(try await stage.export(Manifest.following([late])).status == 0)
            #expect(try await stage.end(of: late) == "3|6|last_page")
            #expect(try await stage.sandbox.requestsByRun[late.root] == 1)
        }
    }

    // MARK: Beside others, and cut short

    @Test func `A prune beside an export that refetches leaves each run whole or pruned, and the books balance`()
        async throws
    {
        try await Stage.with("--latency", "20") { stage in
            let manifest = Manifest.of(300, .success, 4)
            #expect(try await stage.export(manifest).status == 0)
            try await stage.database.age(days: 100)
            let export = try await stage.export(manifest, "--refetch", "--concurrency", "8") { _ in
                try await wait("some are fetched again") { try await stage.sandbox.stats.requests > 380 }
                let pruned = try await stage.run("prune", "--older-than", "90d", "--json")
                #expect(pruned.status == 0, "\(pruned.stderr)")
            }
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.summary.results == 900)
            // The prune took what was not fetched again yet, and the refetch stored it anew.
            #expect(try await stage.database.count("results") == 900)
            #expect(
                try await stage.database.rows("select count(*) from results group by run_id having count(*) <> 3") == []
            )
        }
    }

    @Test func `A run that is fetched again after it was pruned is pruned no more, and may be pruned again`()
        async throws
    {
        try await Stage.with { stage in
            var manifest = Manifest.of(3, .success, 4)
            manifest.runs.append(Manifest.Run(.conflict, number: 7, executed: .daysAgo(8)))
            #expect(try await stage.export(manifest).status == 3)
            for _ in 1...2 {
                try await stage.database.age(days: 100)
                let told: Told = try await stage.run("prune", "--older-than", "90d", "--json").decoded()
                #expect(told.runs == 4 && told.rows["results"] == 9 && told.rows["api_errors"] == 1)
                #expect(try await stage.database.count("runs where pruned_at is null") == 0)
                #expect(try await stage.export(manifest, "--refetch").status == 3)
                #expect(try await stage.database.count("runs where pruned_at is not null") == 0)
                #expect(try await stage.database.count("results") == 9)
            }
        }
    }

    private static func manyRuns(_ stage: Stage, _ count: Int) async throws {
        #expect(try await stage.run("migrate").status == 0)
        try await stage.database.execute(
            """
            insert into stored_actions.runs
                   (stored_action_id, run_id, outcome, result_count, root_run_id, expires_at, first_seen_at, fetched_at)
            select gen_random_uuid(), r.id, 'success', 1, r.id, now() - interval '93 days', now() - interval '100 days',
                   now() - interval '100 days'
              from (select gen_random_uuid() as id from generate_series(1, \(count))) r;
            insert into stored_actions.results (run_id, item_index, stored_action_id, payload, export_id)
            select run_id, 0, stored_action_id, '{"a": 1}', 1 from stored_actions.runs;
            """)
    }

    private static func batch(_ number: Int, _ moment: Proxy.Trigger.Moment, _ harm: Proxy.Trigger.Harm = .hold)
        -> Proxy.Trigger
    {
        Proxy.Trigger(
            steps: [{ $0.contains("set pruned_at") }, Proxy.Trigger.Step.commit.isMet], occurrence: number,
            moment: moment, harm: harm)
    }

    @Test(arguments: [Proxy.Trigger.Moment.held, .sent, .answered])
    func `A connection that breaks at a COMMIT costs no run and no count`(_ moment: Proxy.Trigger.Moment) async throws {
        try await Stage.with { stage in
            try await Self.manyRuns(stage, 1200)
            try await stage.withProxies(database: [Self.batch(2, moment, .cut)]) { proxies in
                let finished = try await stage.run(
                    ["prune", "--older-than", "90d", "--json"], changes: proxies.changes)
                #expect(finished.status == 0, "\(finished.stderr)")
                #expect(proxies.fired == 1)
                let told: Told = try finished.decoded()
                #expect(told.runs == 1200)
                #expect(told.rows["results"] == 1200)
                #expect(try await stage.database.count("results") == 0)
            }
        }
    }

    @Test func `A signal ends it after the batch under way, and the same command continues`() async throws {
        try await Stage.with { stage in
            // Twenty batches: the signal is handled long before the last one, on a busy machine too.
            try await Self.manyRuns(stage, 10_000)
            let pruned = try await stage.withProxies(database: [Self.batch(2, .held)]) { proxies -> Int in
                let finished = try await stage.run(
                    ["prune", "--older-than", "90d", "--json"], changes: proxies.changes
                ) { running in
                    try await wait("the second batch", during: running) { proxies.fired == 1 }
                    running.send(SIGINT)
                    proxies.database.letGo()
                }
                #expect(finished.status == 130, "\(finished.stderr)")
                let told: Told = try finished.decoded()
                #expect(told.exitStatus == 130)
                #expect(told.error == nil && told.kept == nil, "\(finished.stdout)")
                // Whole batches, and the second is one of them.
                #expect((1000..<10_000).contains(told.runs) && told.runs % 500 == 0, "\(told.runs)")
                #expect(try await stage.database.count("runs where pruned_at is not null") == told.runs)
                #expect(try await stage.database.count("results") == 10_000 - told.runs)
                return told.runs
            }
            let rest: Told = try await stage.run("prune", "--older-than", "90d", "--json").decoded()
            #expect(rest.runs == 10_000 - pruned)
        }
    }

    @Test func `A signal ends it within seconds though the database does not answer, and it tells what is done`()
        async throws
    {
        try await Stage.with { stage in
            try await Self.manyRuns(stage, 1200)
            try await stage.withProxies(database: [Self.batch(2, .held)]) { proxies in
                let finished = try await stage.run(
                    ["prune", "--older-than", "90d", "--json"], changes: proxies.changes
                ) {
                    running in
                    try await wait("the second batch") { proxies.fired == 1 }
                    running.send(SIGTERM)
                }
                #expect(finished.status == 143, "\(finished.stderr)")
                let told: Told = try finished.decoded()
                #expect(told.runs == 500)
                #expect(told.error?.contains("500 runs were pruned") == true, "\(finished.stdout)")
                #expect(try await stage.database.count("runs where pruned_at is not null") == 500)
            }
        }
    }

    @Test func `A database that goes away ends it with 69, and it tells what is done`() async throws {
        try await Stage.with { stage in
            try await Self.manyRuns(stage, 1200)
            try await stage.withProxies(database: [Self.batch(2, .held, .cut)]) { proxies in
                let finished = try await stage.run(
                    ["prune", "--older-than", "90d", "--json"], changes: proxies.changes
                ) { _ in
                    try await wait("the first batch") {
                        try await stage.database.count("runs where pruned_at is not null") > 0
                    }
                    proxies.database.refuseConnections()
                }
                #expect(finished.status == 69, "\(finished.stderr)")
                let told: Told = try finished.decoded()
                #expect(told.runs == 500)
                #expect(told.error?.contains("500 runs were pruned") == true, "\(finished.stdout)")
                #expect(try await stage.database.count("runs where pruned_at is not null") == 500)
            }
        }
    }

    @Test func `Old exports go on request or beside old runs; the newest of a manifest stays, and every run`()
        async throws
    {
        try await Stage.with { stage in
            for _ in 1...3 { #expect(try await stage.export(Manifest.of(2)).status == 0) }
            try await stage.database.execute(
                "update exports set finished_at = finished_at - interval '100 days' where export_id <> 2")
            for (options, count) in [(["--dry-run"], 1), ([], 1), ([], 0)] {
                let pruned = try await stage.run(["prune", "--exports-older-than", "90d", "--json"] + options)
                #expect(pruned.status == 0, "\(pruned.stderr)")
                #expect(try pruned.object()["exports"] as? Int == count)
                #expect(try pruned.object()["export_items"] as? Int == 2 * count)
            }
            #expect(try await stage.database.rows("select export_id from exports order by 1") == ["2", "3"])
            try await stage.database.execute("update exports set finished_at = finished_at - interval '100 days'")
            let both = try await stage.run("prune", "--older-than", "90d")
            #expect(both.stdout.contains("pruned: 1 export that ended before 20"), "\(both.stdout)")
            #expect(try await stage.database.rows("select export_id from exports order by 1") == ["3"])
            #expect(try await stage.database.count("runs where outcome = 'success'") == 2)
            #expect(try await stage.export(Manifest.of(2)).summary.requests.total == 0)
        }
    }

    // MARK: Refusals

    @Test(arguments: [
        [], ["--exports-older-than", "0d"], ["--exports-older-than", "90d", "--stored-action", "x"],
        [
            "--older-than", "90d", "--exports-older-than", "90d", "--stored-action",
            "ac000001-0000-4000-8000-000000000001",
        ],
        ["--older-than", "0"], ["--older-than", "0d"], ["--older-than", "90"], ["--older-than", "-1d"],
        ["--older-than", "3 months"], ["--older-than", "90d", "--stored-action", "x"],
        ["--older-than", "90d", "--stored-action", "ac000001-0000-4000-8000-00000000000g"],
        ["--older-than", "90d", "--stored-action", "ac000001-0000-4000-8000-0000000000ff"],
        ["--older-than", "90d", "all"],
    ])
    func `Bad usage ends with 64 and prunes nothing`(_ options: [String]) async throws {
        try await Stage.with { stage in
            #expect(try await stage.export(Manifest.of(2)).status == 0)
            try await stage.database.age(days: 100)
            for json in [[], ["--json"]] {
                let finished = try await stage.run(["prune"] + options + json)
                #expect(finished.status == 64, "\(options): \(finished.stderr)")
                #expect(!finished.stderr.isEmpty)
                if !json.isEmpty { #expect(try finished.object()["exit_status"] as? Int == 64) }
            }
            #expect(try await stage.database.count("runs where pruned_at is not null") == 0)
        }
    }

    @Test func `Without the schema it ends with 78, without the database with 69`() async throws {
        try await Stage.with { stage in
            let bare = try await stage.run("prune", "--older-than", "90d", "--json")
            #expect(bare.status == 78)
            #expect(try bare.object()["exit_status"] as? Int == 78)
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
            let away = try await stage.run(
                ["prune", "--older-than", "90d", "--json"], changes: ["PGHOST": "127.0.0.1", "PGPORT": "9"])
            #expect(away.status == 69)
        }
    }
}

extension TestDatabase {
    /// As if everything had happened so long ago.
    func age(days: Int) async throws {
        try await execute(
            """
            update stored_actions.runs
               set fetched_at = fetched_at - interval '\(days) days', checked_at = checked_at - interval '\(days) days',
                   first_seen_at = first_seen_at - interval '\(days) days',
                   executed_at = executed_at - interval '\(days) days', expires_at = expires_at - interval '\(days) days'
            """)
    }
}
