import Foundation
import Postgres
import Testing

/// A database that is restored to an earlier time has lost what was asked for since.
@Suite("After a restore of the database")
struct RestoreTests {
    /// At the time of the backup a page behind the root is stored.
    private static let further = Chain(number: 1, pages: 5)
    /// Only the root is.
    private static let begun = Chain(number: 2, pages: 4)
    /// Not even the root is.
    private static let pendingRoot = Chain(number: 3, pages: 3, course: .pendingPage, times: 1, place: Chain.atRoot)
    /// The next page is asked for, and not finished.
    private static let pendingPage = Chain(number: 4, pages: 4, course: .pendingPage, times: 1, place: 1)
    private static let whole = Chain(number: 5, pages: 2)
    private static let chains = [further, begun, pendingRoot, pendingPage, whole]
    private static let manifest = Manifest.following(chains)

    /// - Parameter body: gets the time of the backup.
    private func withBackup(_ body: @escaping @Sendable (Stage, String) async throws -> Void) async throws {
        try await Stage.with("--run-limit", "1", "--window", "600") { stage in
            for chains in [[Self.further], [Self.begun, Self.pendingRoot]] {
                let cut = try await stage.export(
                    Manifest.following(chains), "--budget-share", "1", "--max-wait", "0", "--time-limit", "30s")
                #expect(cut.status == 75, "\(cut.finished.stderr)")
            }
            try await stage.sandbox.change(#"{"run_limit": 0}"#)
            let rest = try await stage.export(Manifest.following([Self.pendingPage, Self.whole]), "--max-wait", "0")
            #expect(rest.status == 75, "\(rest.finished.stderr)")
            #expect(try await ends(stage) == ["2|4|", "1|2|", "0|0|", "1|2|", "2|4|last_page"])
            try await body(stage, try await backUp(stage))
        }
    }

    private func ends(_ stage: Stage) async throws -> [String?] {
        var ends: [String?] = []
        for chain in Self.chains { ends.append(try await stage.end(of: chain)) }
        return ends
    }

    private func backUp(_ stage: Stage) async throws -> String {
        try await stage.database.execute(
            """
            create schema backup;
            do $$
            declare name text;
            begin
              for name in select tablename from pg_catalog.pg_tables where schemaname = 'stored_actions' loop
                execute pg_catalog.format('create table backup.%I as table stored_actions.%I', name, name);
              end loop;
            end $$;
            """)
        return try #require(
            try await stage.database.value(
                "select to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"))
    }

    private func restore(_ stage: Stage) async throws {
        try await stage.database.execute(
            """
            set session_replication_role = replica;
            do $$
            declare name text;
            begin
              for name in select tablename from pg_catalog.pg_tables where schemaname = 'backup' loop
                execute pg_catalog.format('truncate stored_actions.%I cascade', name);
              end loop;
              for name in select tablename from pg_catalog.pg_tables where schemaname = 'backup' loop
                execute pg_catalog.format(
                  'insert into stored_actions.%I overriding system value table backup.%I', name, name);
              end loop;
            end $$;
            set session_replication_role = origin;
            """)
    }

    /// What became of each page in doubt, as the API knows it.
    private func resolveTruthfully(_ export: Export, _ stage: Stage) async throws {
        for doubt in try export.chains.chainsInDoubt {
            let chain = try #require(Self.chains.first { $0.root == doubt.rootRunId })
            let known = try await stage.database.rows("select run_id from runs")
            let started = try await stage.sandbox.submissions(of: chain)
                .filter { $0.page == chain.cursor(doubt.pageNumber) }.flatMap(\.runIds).filter { !known.contains($0) }
            let truth = started.first.map { ["--run-id", $0] } ?? ["--not-sent"]
            let resolved = try await stage.run(["resolve", "--chain", chain.root] + truth)
            #expect(resolved.status == 0, "\(resolved.stderr)")
        }
    }

    @Test func `What was asked for in the lost time is asked for once, whichever way it is settled`() async throws {
        try await withBackup { stage, time in
            let lost = try await stage.export(Self.manifest)
            #expect(lost.status == 0, "\(lost.finished.stderr)")
            for chain in Self.chains { try await stage.expectWhole(chain) }
            let posts = try await stage.sandbox.kinds.runs
            try await restore(stage)

            let before = try await stage.database.everything()
            let dry = try await stage.run("resolve", "--restored-to", time, "--dry-run", "--json")
            #expect(dry.status == 0, "\(dry.stderr)")
            #expect(try await stage.database.everything() == before)
            let told = try await stage.run("resolve", "--restored-to", time, "--json")
            #expect(told.status == 0, "\(told.stderr)")
            for object in [try dry.object(), try told.object()] {
                #expect(object["chains_put_in_doubt"] as? Int == 2)
                #expect(object["chains_in_doubt_later"] as? Int == 2)
            }
            #expect(
                try await ends(stage) == ["2|4|submit_unknown", "1|2|submit_unknown", "0|0|", "1|2|", "2|4|last_page"])
            let after = try await stage.database.everything()
            #expect(try await stage.run("resolve", "--restored-to", time).status == 0)
            #expect(try await stage.database.everything() == after)
            let status = try await stage.run("status", "--check")
            #expect(status.status == 4)
            #expect(status.stdout.contains("resolve --chain \(Self.further.root) --not-sent"), "\(status.stdout)")

            var export = try await stage.export(Self.manifest)
            #expect(export.status == 4, "\(export.finished.stderr)")
            #expect(try export.chains.chains == ["submit_unknown": 4, "last_page": 1])
            #expect(try await stage.sandbox.kinds.runs == posts)
            for _ in 1...8 where export.status == 4 {
                try await resolveTruthfully(export, stage)
                export = try await stage.export(Self.manifest)
            }
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try await stage.sandbox.kinds.runs == posts)
            for chain in Self.chains { try await stage.expectWhole(chain) }
        }
    }

    @Test func `Where nothing was asked for in the lost time, --not-sent settles each chain for the rest of it`()
        async throws
    {
        try await withBackup { stage, time in
            #expect(try await stage.run("resolve", "--restored-to", time).status == 0)
            var export = try await stage.export(Self.manifest)
            #expect(export.status == 4, "\(export.finished.stderr)")
            try await resolveTruthfully(export, stage)
            // What is settled stays so.
            #expect(try await stage.run("resolve", "--restored-to", time).status == 0)
            export = try await stage.export(Self.manifest)
            #expect(export.status == 0, "\(export.finished.stderr)")
            for chain in Self.chains { try await stage.expectWhole(chain) }
        }
    }

    @Test func `Chains that were not known then, or had come to their end, are left alone`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            #expect(
                try await stage.export(Manifest.following([Chain(number: 1), Chain(number: 2, course: .startedHTML)]))
                    .status == 4)
            let everything = try await stage.database.everything()
            let earlier = try await stage.run("resolve", "--restored-to", "2020-01-01T00:00:00+02:00", "--json")
            #expect(try earlier.object()["chains_put_in_doubt"] as? Int == 0)
            #expect(try await stage.database.everything() == everything)
        }
    }

    @Test(arguments: [
        ["--restored-to", "2999-01-01T00:00:00Z"], ["--restored-to", "yesterday"],
        ["--restored-to", "2026-11-20T09:30:00"], ["--restored-to", "2026-11-20T09:30:00Z", "--not-sent"],
        ["--restored-to", "2026-11-20T09:30:00Z", "--chain", "20b00000-0003-4000-8000-000100000002"],
        ["--dry-run", "--chain", "20b00000-0003-4000-8000-000100000002", "--not-sent"],
    ])
    func `A time to come, one without its zone, and what does not go together are refused with 64`(
        _ arguments: [String]
    ) async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            let finished = try await stage.run(["resolve", "--json"] + arguments)
            #expect(finished.status == 64, "\(finished.stdout) \(finished.stderr)")
            #expect(try finished.object()["exit_status"] as? Int == 64)
        }
    }
}
