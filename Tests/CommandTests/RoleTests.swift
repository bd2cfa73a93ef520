import Foundation
import Postgres
import Testing

/// `migrate --print-roles`: what each role can do, and what it cannot.
@Suite("Roles", .serialized)
struct RoleTests {
    // MARK: The orders in which things come

    @Test func `Roles that are made first own and load what is migrated afterwards`() async throws {
        try await Office.with { office in
            let sql = try await office.printed()
            try await office.database.execute(sql)
            try await office.makeLogins()
            // Nothing of the schema's is the loader's to make.
            let early = try await office.run("exporter", "migrate")
            #expect(early.status == 78, "\(early.stderr)")
            let migrated = try await office.run("deployer", "migrate")
            #expect(migrated.status == 0, "\(migrated.stderr)")
            #expect(try await Self.rights(office).filter { !$0.hasPrefix("stored_actions_owner|") } == [])
            try await office.exportsAsLoader(1)
            try await office.database.execute(sql)
            try await office.exportsAsLoader(11)
            try await Self.expectBounds(office)
        }
    }

    @Test func `Roles that are made later take over a schema of somebody else's; twice is the same as once`()
        async throws
    {
        try await Office.with { office in
            #expect(try await office.run("postgres", "migrate").status == 0)
            let before = try await office.stage.export(Manifest.of(3), changes: office.changes("postgres"))
            #expect(before.status == 0, "\(before.finished.stderr)")
            let sql = try await office.printed()
            try await office.database.execute(sql)
            let rights = try await Self.rights(office)
            try await office.database.execute(sql)
            #expect(try await Self.rights(office) == rights)
            try await office.makeLogins()
            #expect(rights.filter { !$0.hasPrefix("stored_actions_owner|") } == [])
            try await office.exportsAsLoader(1)
            try await Self.expectBounds(office)
            #expect(try await office.run("deployer", "migrate", "--check").status == 0)
            // A migration to come is the owner's to make.
            let deployer = try await office.connect("deployer")
            try await deployer.execute(
                script: "create table stored_actions.next (a int); drop table stored_actions.next")
            await deployer.close()
        }
    }

    @Test func `A role with CREATEROLE that owns the database needs no superuser; names are free`() async throws {
        try await Office.with { office in
            try await office.database.execute(
                "create role chief login createrole; alter database postgres owner to chief")
            let sql = try await office.printed(
                "--owner-role", "sa_owner", "--loader-role", "sa_loader", "--reader-role", "sa_reader")
            #expect(!sql.contains("stored_actions_owner") && !sql.contains("stored_actions_loader"))
            let chief = try await office.connect("chief")
            for _ in 1...2 { try await chief.execute(script: sql) }
            try await chief.execute(script: "create role exporter login; grant sa_loader to exporter")
            await chief.close()
            let migrated = try await office.run("chief", "migrate")
            #expect(migrated.status == 0, "\(migrated.stderr)")
            #expect(
                try await office.database.rows(
                    """
                    select distinct relowner::regrole from pg_catalog.pg_class
                     where relnamespace = 'stored_actions'::regnamespace
                    """) == ["sa_owner"])
            let export = try await office.stage.export(
                Manifest.of(3), "--no-migrate", changes: office.changes("exporter"))
            #expect(export.status == 0, "\(export.finished.stderr)")
        }
    }

    /// Owner, name and rights of all that is in the schema.
    private static func rights(_ office: Office) async throws -> [String] {
        try await office.database.rows(
            """
            select relowner::regrole, relname, relacl::text from pg_catalog.pg_class
             where relnamespace = 'stored_actions'::regnamespace
             union all
            select proowner::regrole, proname, proacl::text from pg_catalog.pg_proc
             where pronamespace = 'stored_actions'::regnamespace
             union all
            select nspowner::regrole, nspname, nspacl::text from pg_catalog.pg_namespace where nspname = 'stored_actions'
             order by 1, 2
            """)
    }

    // MARK: What each may not do

    private static func expectBounds(_ office: Office) async throws {
        try await office.database.execute(
            "create schema if not exists other; create table if not exists other.secret (a int)")
        let relations = try await office.relations()
        #expect(relations.count >= 15)
        let anybodysLimits =
            relations.filter { !["expired_runs", "paged_results"].contains($0) }.flatMap { relation in
                [
                    "truncate stored_actions.\(relation)", "drop table stored_actions.\(relation)",
                    "alter table stored_actions.\(relation) add column more int",
                    "create index on stored_actions.\(relation) (export_id)",
                    "comment on table stored_actions.\(relation) is 'mine'",
                ]
            } + [
                "create table stored_actions.mine (a int)", "create view stored_actions.mine as select 1 as one",
                "create function stored_actions.mine() returns int language sql return 1", "create schema mine",
                "create table public.mine (a int)", "drop schema stored_actions cascade",
                "drop view stored_actions.expired_runs", "alter schema stored_actions rename to mine",
                "select a from other.secret", "create role mine", "set role stored_actions_owner",
                "copy stored_actions.runs to program 'cat'",
            ]
        try await office.expectRefused(
            "exporter",
            anybodysLimits + [
                "delete from stored_actions.runs",
                "delete from stored_actions.actions", "delete from stored_actions.page_chains",
                "delete from stored_actions.expired_runs", "update stored_actions.expired_runs set evidence = null",
                "update stored_actions.export_manifests set sha256 = ''",
                "update stored_actions.page_intents set page = 'other'",
                "update stored_actions.results set payload = null",
                "insert into stored_actions.schema_migrations values (9, 'x', 'x', 'x')",
                "update stored_actions.schema_migrations set checksum = ''",
                "delete from stored_actions.schema_migrations",
            ])
        try await office.expectRefused(
            "analyst",
            anybodysLimits
                + relations.filter { $0 != "paged_results" }.flatMap { relation in
                    [
                        "insert into stored_actions.\(relation) default values",
                        "delete from stored_actions.\(relation)",
                        "do $$ begin lock table stored_actions.\(relation) in share mode; end $$",
                        "select 1 from stored_actions.\(relation) for update",
                    ]
                } + [
                    "update stored_actions.runs set outcome = 'queued'",
                    "select nextval('stored_actions.exports_export_id_seq')",
                ])
        try await office.expectRefused("analyst", rawReads)
        let analyst = try await office.connect("analyst")
        for relation in relations where relation != "run_bodies" {
            let rows = try await analyst.query("select count(*) as n from stored_actions.\(relation)")
            #expect(try rows[0].decode("n", as: Int.self) >= 0)
        }
        await analyst.close()
        let export = try await office.stage.export(
            Manifest.of(1, from: 900), "--no-migrate", changes: office.changes("analyst"))
        #expect(export.status == 78, "\(export.finished.stderr)")
        #expect(export.finished.stderr.contains("may not do this"))
        let pruned = try await office.run("analyst", "prune", "--older-than", "1s")
        #expect(pruned.status == 78, "\(pruned.stdout) \(pruned.stderr)")
        #expect(pruned.stderr.contains("may not do this"), "\(pruned.stderr)")
    }

    // MARK: What the reader sees

    private static let raw = [
        ("runs", "next_page"), ("runs", "page"), ("page_chains", "next_page"), ("page_chains", "first_page"),
        ("page_intents", "page"), ("rejects", "raw"), ("run_bodies", "body"), ("run_bodies", "run_id"),
    ]

    private static let rawReads =
        raw.map { "select \($0.1) from stored_actions.\($0.0)" }
        + ["runs", "page_chains", "page_intents", "rejects", "run_bodies"].map { "select * from stored_actions.\($0)" }

    @Test func `The reader sees all but cursors and raw bytes, in what is there and in what comes`() async throws {
        try await Office.with { office in
            try await office.database.execute(office.printed())
            try await office.makeLogins()
            #expect(try await office.run("deployer", "migrate").status == 0)
            // Of tables that the roles were not printed for nothing is seen at all.
            try await office.expectRefused(
                "analyst",
                Self.rawReads + ["select run_id from stored_actions.runs", "select 1 from stored_actions.results"])
            try await office.database.execute(office.printed())
            try await office.expectRefused("analyst", Self.rawReads)
            let hidden = Set(Self.raw.map { "\($0.0)|\($0.1)" })
            let columns = try await office.database.rows(
                """
                select c.relname, a.attname
                  from pg_catalog.pg_class c
                  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 where c.relnamespace = 'stored_actions'::regnamespace and c.relkind in ('r', 'v')
                   and not has_column_privilege('analyst', c.oid, a.attnum, 'select')
                """)
            #expect(
                Set(columns.filter { !$0.hasPrefix("run_bodies|") }) == hidden.filter { !$0.hasPrefix("run_bodies|") })
            #expect(columns.filter { $0.hasPrefix("run_bodies|") }.count == 5)
            let open = try await office.printed("--reader-sees-raw")
            try await office.database.execute(open)
            let analyst = try await office.connect("analyst")
            for read in Self.rawReads { _ = try await analyst.query(read) }
            await analyst.close()
            // And back.
            try await office.database.execute(office.printed())
            try await office.expectRefused("analyst", Self.rawReads)
        }
    }

    @Test func `With --reader-sees-raw it sees what a migration makes, at once`() async throws {
        try await Office.with { office in
            try await office.database.execute(office.printed("--reader-sees-raw"))
            try await office.makeLogins()
            #expect(try await office.run("deployer", "migrate").status == 0)
            let analyst = try await office.connect("analyst")
            for read in Self.rawReads { _ = try await analyst.query(read) }
            await analyst.close()
        }
    }

    @Test func `The superuser who made the roles goes on to migrate and to export`() async throws {
        try await Office.with { office in
            for _ in 1...2 { try await office.database.execute(office.printed()) }
            #expect(try await office.run("postgres", "migrate").status == 0)
            #expect(try await Self.rights(office).filter { !$0.hasPrefix("stored_actions_owner|") } == [])
            let export = try await office.stage.export(Manifest.of(2), changes: office.changes("postgres"))
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(export.finished.stderr.contains("superuser"), "\(export.finished.stderr)")
            try await office.database.execute("revoke stored_actions_owner from postgres")
            let refused = try await office.stage.export(Manifest.of(2), changes: office.changes("postgres"))
            #expect(refused.status == 78, "\(refused.finished.stderr)")
            #expect(refused.finished.stderr.contains("grant \"stored_actions_owner\" to \"postgres\""))
        }
    }

    // MARK: Printing

    @Test func `--print-roles prints SQL alone, needs no setting, and holds no password`() async throws {
        try await Stage.with { stage in
            let away: [String: String?] = [
                "PGHOST": nil, "PGPORT": nil, "ZAPIER_ACCESS_TOKEN": nil, "ZAPIER_API_URL": nil,
                "DATABASE_URL": "postgres://[::1/x",
            ]
            let text = try await stage.run(["migrate", "--print-roles"], changes: away)
            #expect(text.status == 0, "\(text.stderr)")
            let json = try await stage.run(["migrate", "--print-roles", "--json"], changes: away)
            #expect(json.status == 0)
            let object = try json.object()
            #expect(Set(object.keys) == ["exit_status", "sql"])
            #expect(object["sql"] as? String == text.stdout)
            #expect(!text.stdout.lowercased().contains(" password '"))
            for name in ["owner", "loader", "reader"] { #expect(text.stdout.contains("\"stored_actions_\(name)\"")) }
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
        }
    }

    @Test(arguments: [
        ["--print-roles", "--check"], ["--owner-role", "x"], ["--reader-sees-raw"],
        ["--print-roles", "--owner-role", "x; drop role y"],
        ["--print-roles", "--loader-role", "a\"b"], ["--print-roles", "--reader-role", ""],
        ["--print-roles", "--reader-role", "public"], ["--print-roles", "--reader-role", "pg_monitor"],
        ["--print-roles", "--reader-role", "1"], ["--print-roles", "--reader-role", "é"],
        ["--print-roles", "--reader-role", "stored_actions_loader"],
        ["--print-roles", "--reader-role", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
    ])
    func `Names that are none, and options that contradict each other, end with 64`(_ options: [String]) async throws {
        try await Stage.with { stage in
            let finished = try await stage.run(["migrate"] + options)
            #expect(finished.status == 64, "\(finished.stdout)")
            #expect(finished.stdout == "")
        }
    }
}
