import Foundation
import Postgres
import Testing

/// Whose the schema is, what its owner could do with it, and what a role needs.
@Suite("Ownership", .serialized)
struct OwnershipTests {
    /// Somebody with a login who may create schemas in the database.
    private static let mallory = "create role mallory login; grant create on database postgres to mallory;"
    /// Grows rich when a superuser runs it.
    private static let greed = """
        create function public.greed() returns boolean language plpgsql as
          $$ begin alter role mallory superuser; return true; exception when others then return true; end $$;
        """

    private static func isRich(_ office: Office) async throws -> Bool {
        try await office.database.holds("(select rolsuper from pg_catalog.pg_roles where rolname = 'mallory')")
    }

    /// That each call of the program ends with 78 and names the owner.
    private static func expectRefused(
        _ office: Office, _ user: String, naming owner: String,
        _ calls: [[String]] = [["migrate"], ["export"], ["check"]]
    ) async throws {
        let manifest = try office.stage.write(Manifest.of(1).json, to: "today.json")
        for call in calls {
            let arguments = call == ["export"] ? call + ["--manifest", manifest] : call
            let finished = try await office.stage.run(arguments, changes: office.changes(user))
            #expect(finished.status == 78, "\(call): \(finished.stdout) \(finished.stderr)")
            #expect((finished.stdout + finished.stderr).contains(owner), "\(finished.stdout) \(finished.stderr)")
        }
    }

    private static func expectExport(_ office: Office, _ user: String) async throws -> Program.Finished {
        let export = try await office.stage.export(Manifest.of(2), "--refetch", changes: office.changes(user))
        #expect(export.status == 0, "\(user): \(export.finished.stderr)")
        return export.finished
    }

    // MARK: Another's schema

    @Test func `Nothing is made in a schema of a role that is neither the current one nor granted to it`() async throws
    {
        try await Office.with { office in
            try await office.database.execute(Self.mallory)
            try await office.execute(
                "mallory", "create schema stored_actions; grant all on schema stored_actions to public")
            try await office.database.execute(
                "create role exporter login; grant create on database postgres to exporter")
            for user in ["postgres", "exporter"] {
                try await Self.expectRefused(office, user, naming: "mallory")
            }
            #expect(try await office.relations() == [])
            // Granted, and be it by way of another role, it is trusted.
            try await office.database.execute("create role team; grant mallory to team; grant team to exporter")
            #expect(try await office.run("exporter", "migrate").status == 0)
            let export = try await Self.expectExport(office, "exporter")
            #expect(!export.stderr.contains("superuser"), "\(export.stderr)")
            #expect(
                try await office.database.rows(
                    "select distinct relowner::regrole from pg_catalog.pg_class where relnamespace = 'stored_actions'::regnamespace"
                ) == ["mallory"])
            try await Self.expectRefused(office, "postgres", naming: "mallory")
            // A superuser who trusts it is warned even so.
            try await office.database.execute("grant mallory to postgres")
            let warned = try await Self.expectExport(office, "postgres")
            #expect(
                warned.stderr.contains("superuser postgres") && warned.stderr.contains("mallory"), "\(warned.stderr)")
            let check = try await office.run("postgres", "check")
            #expect(check.status == 0 && check.stdout.contains("mallory"), "\(check.stdout)")
        }
    }

    @Test func `What another role has in the schema is refused as well`() async throws {
        try await Office.with { office in
            try await office.database.execute(
                "\(Self.mallory) create schema stored_actions; grant all on schema stored_actions to mallory")
            for (made, dropped) in [
                ("table stored_actions.runs (a int)", "table stored_actions.runs"),
                ("table stored_actions.other (a int)", "table stored_actions.other"),
                (
                    "view stored_actions.schema_migrations as select 1 as version",
                    "view stored_actions.schema_migrations"
                ),
                ("function stored_actions.f() returns int language sql return 1", "function stored_actions.f"),
                ("sequence stored_actions.s", "sequence stored_actions.s"),
            ] {
                try await office.execute("mallory", "create \(made)")
                try await Self.expectRefused(office, "postgres", naming: "mallory")
                try await office.database.execute("drop \(dropped)")
            }
            #expect(try await office.run("postgres", "migrate").status == 0)
        }
    }

    @Test func `A schema that its owner has migrated and laid traps in gives no superuser away`() async throws {
        try await Office.with { office in
            try await office.database.execute(Self.mallory + Self.greed)
            #expect(try await office.run("mallory", "migrate").status == 0)
            try await office.execute(
                "mallory",
                """
                create function stored_actions.trap() returns trigger language plpgsql as
                  $$ begin perform public.greed(); return new; end $$;
                create trigger trap before insert on stored_actions.exports
                  for each row execute function stored_actions.trap();
                """)
            try await Self.expectRefused(
                office, "postgres", naming: "mallory",
                [["export"], ["status"], ["migrate", "--check"], ["prune", "--older-than", "1d"], ["check"]])
            // Reading a view would run what its owner has put there.
            try await office.execute(
                "mallory",
                """
                alter table stored_actions.schema_migrations rename to old;
                create view stored_actions.schema_migrations as
                  select version, name, checksum, tool_version from stored_actions.old where public.greed();
                """)
            try await Self.expectRefused(
                office, "postgres", naming: "mallory", [["status"], ["migrate", "--check"], ["check"], ["export"]])
            #expect(try await !Self.isRich(office))
        }
    }

    @Test func `No function or operator of the database owner's is called by the session itself`() async throws {
        try await Office.with { office in
            try await office.database.execute(
                """
                \(Self.mallory) \(Self.greed)
                create schema traps;
                create function traps.eq(int, int) returns boolean language sql as 'select public.greed()';
                create function traps.eq(oid, oid) returns boolean language sql as 'select public.greed()';
                create function traps.eq(name, name) returns boolean language sql as 'select public.greed()';
                create function traps.eq(name, text) returns boolean language sql as 'select public.greed()';
                create operator traps.= (leftarg = int, rightarg = int, function = traps.eq);
                create operator traps.= (leftarg = oid, rightarg = oid, function = traps.eq);
                create operator traps.= (leftarg = name, rightarg = name, function = traps.eq);
                create operator traps.= (leftarg = name, rightarg = text, function = traps.eq);
                alter database postgres set search_path = traps, pg_catalog;
                """)
            for call in [["migrate"], ["check"], ["status"]] {
                let finished = try await office.stage.run(call, changes: office.changes("postgres"))
                #expect(finished.status == 0, "\(finished.stdout) \(finished.stderr)")
            }
            _ = try await Self.expectExport(office, "postgres")
            #expect(try await !Self.isRich(office))
        }
    }

    @Test func `check names the owner, and the triggers and rules that are not ours`() async throws {
        try await Office.with { office in
            try await office.database.execute("create role owner login; grant create on database postgres to owner")
            #expect(try await office.run("owner", "migrate").status == 0)
            try await office.execute(
                "owner",
                """
                create schema owner;
                create function owner.audit() returns trigger language plpgsql as $$ begin return new; end $$;
                create trigger audit after insert on stored_actions.runs for each row execute function owner.audit();
                create rule keep as on delete to stored_actions.actions do instead nothing;
                """)
            let check = try await office.run("owner", "check")
            #expect(check.status == 0, "\(check.stdout)")
            #expect(check.stdout.contains("owner owns the schema"))
            #expect(check.stdout.contains("runs.audit (owner.audit())"), "\(check.stdout)")
            #expect(check.stdout.contains("actions.keep"), "\(check.stdout)")
        }
    }

    // MARK: What a role needs

    @Test func `A schema that was made for the role works without CREATE on the database`() async throws {
        try await Office.with { office in
            try await office.database.execute(
                "create role exporter login; create schema stored_actions authorization exporter")
            let check = try await office.run("exporter", "check")
            #expect(check.status == 0, "\(check.stdout)")
            #expect(try await office.relations() == [])
            #expect(try await office.run("exporter", "migrate").status == 0)
            _ = try await Self.expectExport(office, "exporter")
            // So does one of a role that it is a member of.
            try await office.database.execute(
                """
                drop schema stored_actions cascade; create role team; grant team to exporter;
                create schema stored_actions authorization team
                """)
            _ = try await Self.expectExport(office, "exporter")
            #expect(
                try await office.database.rows(
                    "select distinct relowner::regrole from pg_catalog.pg_class where relnamespace = 'stored_actions'::regnamespace"
                ) == ["team"])
        }
    }

    @Test func `Row-level security that applies to the role is a setting of the database: 78`() async throws {
        try await Office.with { office in
            try await office.database.execute(
                "create role exporter login; create schema stored_actions authorization exporter")
            #expect(try await office.run("exporter", "migrate").status == 0)
            for table in ["runs", "results", "export_items"] {
                try await office.database.execute(
                    """
                    alter table stored_actions.\(table) enable row level security, force row level security;
                    create policy own on stored_actions.\(table) using (true)
                    """)
                try await Self.expectRefused(
                    office, "exporter", naming: "stored_actions.\(table)", [["export"], ["check"]])
                // It does not apply to a role that bypasses it.
                try await office.database.execute("alter role exporter bypassrls")
                _ = try await Self.expectExport(office, "exporter")
                try await office.database.execute(
                    """
                    alter role exporter nobypassrls;
                    alter table stored_actions.\(table) disable row level security, no force row level security
                    """)
            }
        }
    }

    // MARK: check

    /// What is made of an exporter's database, what `check` says of it, and its exit status.
    private static let hindrances: [(sql: String, told: String, status: Int32)] = [
        ("alter role exporter set default_transaction_read_only = on", "default_transaction_read_only", 78),
        ("revoke create on database postgres from exporter", "may not create the schema", 78),
        ("alter role exporter connection limit 1", "the limit of the role is 1", 78),
        // One of these is the test's own.
        ("alter database postgres connection limit 2", "the limit of the database is 2", 78),
        ("revoke temporary on database postgres from public", "temporary", 78),
        (
            "create schema stored_actions authorization exporter; create table stored_actions.runs (a int); "
                + "alter table stored_actions.runs owner to exporter", "runs", 78
        ),
        ("create schema stored_actions", "postgres", 78),
    ]

    @Test func `check tries what an export would do, says what stands in its way, and leaves no trace`() async throws {
        try await Office.with { office in
            try await office.database.execute(
                "create role exporter login; grant create on database postgres to exporter")
            let fine = try await office.run("exporter", "check")
            #expect(fine.status == 0 && fine.stdout.contains("3 at once"), "\(fine.stdout)")
            #expect(try await office.database.holds("to_regnamespace('stored_actions') is null"))
            for (sql, told, status) in Self.hindrances {
                try await office.database.execute(sql)
                let check = try await office.run("exporter", "check")
                #expect(check.status == status && check.stdout.contains(told), "\(sql): \(check.stdout)")
                try await office.database.execute(
                    """
                    alter role exporter reset all; alter role exporter connection limit -1;
                    alter database postgres connection limit -1; grant create on database postgres to exporter;
                    grant temporary on database postgres to public; drop schema if exists stored_actions cascade
                    """)
            }
            try await office.database.execute("alter role exporter connection limit 2")
            let two = try await office.run("exporter", "check")
            #expect(two.status == 0 && two.stdout.contains("follows pages needs 3"), "\(two.stdout)")
        }
    }

    @Test func `check finds a right that the loader lacks, in a schema that is up to date`() async throws {
        try await Office.with { office in
            #expect(try await office.run("postgres", "migrate").status == 0)
            try await office.database.execute(office.printed())
            try await office.makeLogins()
            let numbers = "select last_value, is_called from stored_actions.exports_export_id_seq"
            let before = try await office.database.rows(numbers)
            #expect(try await office.run("exporter", "check").status == 0)
            for (right, table) in [
                ("insert", "results"), ("delete", "errors"), ("update", "runs"), ("insert", "runs"),
                ("insert", "page_intents"), ("delete", "page_intents"), ("select", "page_chains"),
                ("update", "exports"),
                ("insert", "export_items"), ("update", "actions"), ("insert", "rejects"), ("insert", "run_bodies"),
            ] {
                try await office.database.execute(
                    "revoke \(right) on stored_actions.\(table) from stored_actions_loader")
                let check = try await office.run("exporter", "check")
                #expect(check.status == 78 && check.stdout.contains(table), "\(right) on \(table): \(check.stdout)")
                try await office.database.execute(
                    "grant \(right) on stored_actions.\(table) to stored_actions_loader")
            }
            #expect(try await office.run("exporter", "check").status == 0)
            let reader = try await office.run("analyst", "check")
            #expect(reader.status == 78, "\(reader.stdout)")
            #expect(try await office.database.rows(numbers) == before)
            #expect(try await office.database.count("runs") == 0)
        }
    }

    @Test func `check says that a server is a standby`() async throws {
        try await Office.with { office in
            try await office.database.execute(
                "create role exporter login; grant create on database postgres to exporter")
            #expect(try await office.run("exporter", "migrate").status == 0)
            try await office.cluster.becomeStandby()
            let check = try await office.run("exporter", "check")
            #expect(check.status == 69 && check.stdout.contains("standby"), "\(check.stdout)")
        }
    }
}
