import Foundation
import Postgres
import Testing

/// What a database's owner has set up beside the schema: an export loses nothing to it, and tells of it.
@Suite("Rules of the database's own")
struct DatabaseRulesTests {
    private static func trigger(_ body: String, on table: String = "results") -> String {
        """
        create function public.rule() returns trigger language plpgsql as $$ begin \(body) return new; end $$;
        create trigger rule before insert or update on stored_actions.\(table)
          for each row execute function public.rule();
        """
    }

    private static let first: @Sendable (Int) -> Bool = { $0 == 1 }
    private static let odd: @Sendable (Int) -> Bool = { $0 % 2 == 1 }
    private static let all: @Sendable (Int) -> Bool = { _ in true }

    /// With the places of the rows that the rule keeps out.
    private static let rules: [(what: String, sql: String, keepsOut: @Sendable (Int) -> Bool)] = [
        ("a check", "alter table results add constraint rule check (item_index <> 1)", first),
        ("a check", "alter table results add constraint rule check (payload ? 'no_such_key')", all),
        ("a not-null", "alter table results alter column payload_notes set not null", all),
        ("a unique index", "create unique index on results (run_id, (item_index / 2))", odd),
        (
            "a deferred unique key",
            """
            alter table results add column half int generated always as (item_index / 2) stored;
            alter table results add unique (run_id, half) deferrable initially deferred
            """, odd
        ),
        ("an exclusion", "alter table results add exclude (run_id with =, (item_index / 2) with =)", odd),
        (
            "a foreign key",
            "create table public.known (n int primary key); insert into public.known values (0), (2); "
                + "alter table results add foreign key (item_index) references public.known",
            { $0 != 0 && $0 != 2 }
        ),
        ("a trigger that raises", trigger("if new.item_index = 1 then raise 'not this one'; end if;"), first),
        (
            "a trigger that raises a code",
            trigger("if new.item_index = 1 then raise 'no' using errcode = '23514'; end if;"), first
        ),
        ("a trigger that drops rows", trigger("if new.item_index = 1 then return null; end if;"), first),
        ("a trigger that drops each row", trigger("return null;"), all),
    ]

    @Test(arguments: rules.indices)
    func `Rows that they keep out are in rejects, and a complete export exits 3`(_ index: Int) async throws {
        let (what, sql, keepsOut) = Self.rules[index]
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            try await stage.database.execute(sql)
            let manifest = Manifest(runs: Manifest.of(2).runs + [Manifest.Run(.error, number: 9)])
            var places: [Int] = []
            for run in manifest.runs where run.id.hasPrefix(Scenario.success.rawValue) {
                let body = try JSONSerialization.jsonObject(with: Data(try await stage.sandbox.body(of: run).utf8))
                let object = body as? [String: Any] ?? [:]
                let results = (object["data"] as? [String: Any] ?? object)["results"] as? [Any]
                places += try #require(results).indices
            }
            let refused = places.filter(keepsOut)
            try #require(places.contains(1))
            let export = try await stage.export(manifest)
            #expect(export.status == 3, "\(what): \(export.finished.stderr)")
            #expect(try export.summary.outcome == "complete")
            #expect(try export.finished.object()["rejects"] as? Int == refused.count)
            #expect(try export.summary.results == places.count - refused.count)
            #expect(try await stage.database.count("results") == places.count - refused.count)
            #expect(
                try await stage.database.rows(
                    "select distinct position, raw is not null as raw from rejects order by position")
                    == Set(refused).sorted().map { "\($0)|true" }, "\(what)")
            #expect(try await stage.database.count("runs where outcome = 'success'") == 2)
            #expect(try await stage.database.rows("select outcome, exit_status from exports") == ["complete|3"])
            // What was settled by then is not refused again.
            #expect(try await stage.export(manifest).status == 0)
            #expect(try await stage.export(manifest, "--refetch", "--fail-on", "forbidden,truncated").status == 0)
            #expect(try await stage.export(manifest, "--refetch", "--fail-on", "rejects").status == 3)
            let text = try await stage.run(
                "export", "--manifest", stage.write(manifest.json, to: "again.json"), "--refetch")
            #expect(text.status == 3)
            #expect(text.stdout.contains("see rejects"), "\(text.stdout)")
        }
    }

    // MARK: A schema that is not as it was made

    private static let changes: [(sql: String, told: String)] = [
        ("alter table results drop column payload_notes", "results.payload_notes"),
        ("alter table results rename column payload to content", "results.payload"),
        ("drop view paged_results; alter table results alter column payload type text", "results.payload"),
        ("alter table errors alter column delay_seconds type int", "errors.delay_seconds"),
        ("drop table run_bodies", "run_bodies.body"),
        ("alter table runs drop column failure", "failure"),
        ("alter table runs alter column failure type int using null", "failure"),
        ("drop table page_intents, page_chains cascade", "page_chains"),
        ("drop function is_settled", "is_settled"),
        ("alter table actions drop constraint actions_pkey", "ON CONFLICT"),
        ("alter table export_items rename to items", "export_items"),
        (
            "alter table runs replica identity nothing; create publication everything for all tables",
            "replica identity"
        ),
        ("alter table schema_migrations drop column checksum", "checksum"),
        ("alter table schema_migrations rename to m; create view schema_migrations as select * from m", "not a table"),
    ]

    @Test(arguments: changes.indices)
    func `A schema that was changed by hand ends an export with 78, and stores nothing wrongly`(
        _ index: Int
    ) async throws {
        let (sql, told) = Self.changes[index]
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            try await stage.database.execute(sql)
            let export = try await stage.export(
                Manifest(runs: Manifest.of(3).runs + [Manifest.Run(.error, number: 9)]))
            #expect(export.status == 78, "\(sql): \(export.finished.stderr)")
            #expect(export.finished.stderr.contains(told), "\(sql): \(export.finished.stderr)")
            #expect(!export.finished.stderr.contains("bug"))
            #expect(try export.finished.object()["exit_status"] as? Int == 78)
            #expect(try await stage.database.count("runs where outcome <> 'queued'") == 0)
            let check = try await stage.run("check")
            #expect(check.status == 78 || told == "replica identity", "\(sql): \(check.stdout)")
        }
    }

    @Test func `A trigger that lets no run change ends the export with 78`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            for body in ["return null;", "raise 'frozen';"] {
                try await stage.database.execute(
                    "drop function if exists public.rule() cascade; "
                        + Self.trigger("if tg_op = 'UPDATE' then \(body) end if;", on: "runs"))
                let export = try await stage.export(Manifest.of(2))
                #expect(export.status == 78, "\(export.finished.stderr)")
                #expect(export.finished.stderr.contains("a trigger of the database"), "\(export.finished.stderr)")
                #expect(try await stage.database.count("results") == 0)
            }
        }
    }

    // MARK: Replication

    @Test func `Every table has a primary key, so a publication of all tables refuses nothing`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            #expect(
                try await stage.database.rows(
                    """
                    select c.relname from pg_catalog.pg_class c
                     where c.relnamespace = 'stored_actions'::regnamespace and c.relkind in ('r', 'p')
                       and not exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary)
                    """) == [])
            try await stage.database.execute(
                "create publication everything for all tables; "
                    + Self.trigger("if new.item_index = 1 then return null; end if;"))
            var manifest = Manifest.following([Chain(number: 1, pages: 3)])
            manifest.runs += [
                Manifest.Run(.success, 3, number: 1), Manifest.Run(.error, number: 2),
                Manifest.Run(.conflict, number: 3), Manifest.Run(.missing, number: 4),
            ]
            for options in [[], ["--refetch"]] {
                let export = try await stage.export(manifest, options: options + ["--keep-raw"])
                #expect(export.status == 3, "\(export.finished.stderr)")
            }
            #expect(try await stage.database.count("rejects") > 0)
            try await stage.database.age(days: 100)
            let pruned = try await stage.run("prune", "--older-than", "90d")
            #expect(pruned.status == 0, "\(pruned.stderr)")
            #expect(try await stage.database.count("rejects") == 0)
        }
    }

    // MARK: Event triggers

    @Test(arguments: ["P0001", "42501", "0A000"])
    func `An event trigger that refuses is reported by its name`(_ sqlstate: String) async throws {
        try await Stage.with { stage in
            try await stage.database.execute(
                """
                create function public.no_ddl() returns event_trigger language plpgsql as
                  $$ begin raise 'no changes on weekdays' using errcode = '\(sqlstate)'; end $$;
                create event trigger weekdays on ddl_command_start execute function public.no_ddl();
                """)
            func expectRefused(_ arguments: [String]) async throws {
                let finished = try await stage.run(arguments)
                #expect(finished.status == 78, "\(arguments): \(finished.stdout) \(finished.stderr)")
                let told = finished.stdout + finished.stderr
                #expect(told.contains("event trigger"), "\(told)")
                #expect(told.contains("weekdays") && told.contains("no changes on weekdays"), "\(told)")
            }
            let manifest = try stage.write(Manifest.of(1).json, to: "today.json")
            let calls = [["migrate"], ["check"], ["export", "--manifest", manifest]]
            for arguments in calls { try await expectRefused(arguments) }
            try await stage.database.execute("alter event trigger weekdays disable")
            #expect(try await stage.run("migrate").status == 0)
            try await stage.database.execute("alter event trigger weekdays enable")
            try await expectRefused(["check"])
            // What an export of ordinary answers does is no DDL.
            #expect(try await stage.run("export", "--manifest", manifest).status == 0)
            try await stage.database.execute("drop event trigger weekdays")
            #expect(try await stage.run("check").status == 0)
        }
    }

    // MARK: Names that are taken

    @Test(arguments: [
        "create table stored_actions.runs (run_id int)", "create view stored_actions.results as select 1 as one",
        "create table stored_actions.schema_migrations (version int)",
        "create view stored_actions.schema_migrations as select 1 as version",
        "create sequence stored_actions.exports", "create type stored_actions.runs as enum ('a')",
        "create function stored_actions.is_settled(text, text, timestamptz, timestamptz) returns boolean language sql "
            + "return true",
    ])
    func `Something of the same name that is not ours ends with 78 and stays`(_ sql: String) async throws {
        try await Stage.with { stage in
            try await stage.database.execute("create schema stored_actions; \(sql)")
            let manifest = try stage.write(Manifest.of(1).json, to: "today.json")
            for arguments in [["check"], ["migrate"], ["export", "--manifest", manifest]] {
                let finished = try await stage.run(arguments)
                #expect(finished.status == 78, "\(arguments): \(finished.stdout) \(finished.stderr)")
                let told = finished.stdout + finished.stderr
                #expect(told.contains("stored_actions") && !told.contains("bug"), "\(told)")
            }
            #expect(try await stage.database.holds("to_regclass('stored_actions.export_items') is null"))
            #expect(try await stage.sandbox.stats.requests == 1)
        }
    }

    @Test func `An export whose row cannot be closed says so, and that it still counts as running`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            try await stage.database.execute(
                Self.trigger("if new.finished_at is not null then raise 'never'; end if;", on: "exports"))
            let export = try await stage.export(.of(3))
            #expect(export.status == 78, "\(export.finished.stderr)")
            #expect(
                export.finished.stderr.contains("export 1 still counts as running, because its row could not be closed")
            )
            #expect(try await stage.database.rows("select outcome from exports") == ["running"])
            #expect(try await stage.database.count("runs where outcome = 'success'") == 3)
        }
    }
}
