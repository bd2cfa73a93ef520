import Foundation
import Postgres
import Testing

/// The subcommands besides `export`.
@Suite("migrate, status and check")
struct VerbTests {
    // MARK: migrate

    @Test func `migrate --check tells by its exit status whether anything is to do, and changes nothing`() async throws
    {
        try await Stage.with { stage in
            let before = try await stage.run("migrate", "--check", "--json")
            #expect(before.status == 75)
            #expect((try before.object()["pending"] as? [String])?.isEmpty == false)
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
            let migrated = try await stage.run("migrate", "--json")
            #expect(migrated.status == 0)
            #expect((try migrated.object()["applied"] as? [String])?.isEmpty == false)
            let after = try await stage.run("migrate", "--check", "--json")
            #expect(after.status == 0)
            #expect((try after.object()["pending"] as? [String]) == [])
            #expect(try await stage.run("migrate").status == 0)
        }
    }

    @Test func `--no-migrate on a database without the schema is refused with 78`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.of(1), "--no-migrate")
            #expect(export.status == 78)
            #expect(export.finished.stderr.contains("stored-actions migrate"))
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
            #expect(try await stage.run("migrate").status == 0)
            #expect(try await stage.export(Manifest.of(1), "--no-migrate").status == 0)
        }
    }

    @Test func `Several migrations of one database at the same time all succeed`() async throws {
        try await Stage.with { stage in
            let statuses = try await withThrowingTaskGroup(of: Program.Finished.self) { group in
                for _ in 1...6 { group.addTask { try await stage.run("migrate") } }
                return try await group.reduce(into: [Int32]()) { all, finished in
                    all.append(finished.status)
                    #expect(finished.status == 0, "\(finished.stderr)")
                }
            }
            #expect(statuses.count == 6)
            #expect(
                try await stage.database.holds(
                    "(select count(*) = max(version) from stored_actions.schema_migrations)"))
        }
    }

    @Test func `Every relation and column of the schema has a comment`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            let bare = try await stage.database.rows(
                """
                select c.relname, a.attname
                  from pg_catalog.pg_class c
                  left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 where c.relnamespace = 'stored_actions'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')
                   and (coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') = ''
                        or coalesce(pg_catalog.col_description(c.oid, a.attnum), '') = '')
                """)
            #expect(bare == [])
        }
    }

    @Test func `The relations have the columns and types of the contract`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            for (relation, columns) in Self.contract {
                let there = try await stage.database.rows(
                    """
                    select column_name, case data_type when 'ARRAY' then substr(udt_name, 2) || '[]' else udt_name end
                      from information_schema.columns where table_schema = 'stored_actions' and table_name = $1
                    """, [.text(relation)])
                for column in columns { #expect(there.contains(column), "\(relation): \(column)") }
            }
        }
    }

    private static let contract: [String: [String]] = [
        "runs": [
            "stored_action_id|uuid", "run_id|uuid", "outcome|text", "status|text", "http_status|int4", "type|text",
            "result_count|int4", "error_count|int4", "next_page|text", "page|text", "page_number|int4",
            "root_run_id|uuid", "executed_at|timestamptz", "expires_at|timestamptz", "first_seen_at|timestamptz",
            "fetched_at|timestamptz", "attempts|int4", "extra|jsonb", "export_id|int8", "loaded_at|timestamptz",
        ],
        "results": [
            "run_id|uuid", "item_index|int4", "stored_action_id|uuid", "payload|jsonb", "payload_raw|bytea",
            "payload_notes|text[]", "export_id|int8", "loaded_at|timestamptz",
        ],
        "errors": [
            "run_id|uuid", "error_index|int4", "stored_action_id|uuid", "code|text", "title|text", "detail|text",
            "delay_seconds|int8", "meta|jsonb", "extra|jsonb", "export_id|int8", "loaded_at|timestamptz",
        ],
        "api_errors": [
            "stored_action_id|uuid", "run_id|uuid", "error_index|int4", "http_status|int4", "status|int4", "code|text",
            "title|text", "detail|text", "source_pointer|text", "source_parameter|text", "source_header|text",
            "meta|jsonb", "occurred_at|timestamptz", "export_id|int8", "loaded_at|timestamptz",
        ],
        "expired_runs": [
            "stored_action_id|uuid", "run_id|uuid", "executed_at|timestamptz", "expires_at|timestamptz",
            "first_seen_at|timestamptz", "checked_at|timestamptz", "evidence|text",
        ],
        "exports": [
            "export_id|int8", "started_at|timestamptz", "finished_at|timestamptz", "outcome|text", "exit_status|int4",
            "items|int4", "outcomes|jsonb", "requests|int4", "rate_limited|int4", "api_url|text", "tool_version|text",
            "host|text", "reason|text", "account|text", "already_settled|int4",
        ],
        "export_manifests": ["export_id|int8", "name|text", "source|text", "sha256|text", "items|int4"],
        "export_items": [
            "export_id|int8", "stored_action_id|uuid", "run_id|uuid", "outcome|text", "action|text",
        ],
        "actions": [
            "stored_action_id|uuid", "label|text", "action_type|text", "action_key|text", "selected_api|text",
        ],
    ]

    // MARK: status

    @Test func `status shows past exports, what is left to do and what expires next`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("status").status == 78)
            #expect(try await stage.run("migrate").status == 0)
            #expect(try await stage.run("status").status == 0)
            let soon = Manifest.Run(.pending, number: 1, executed: .daysAgo(6))
            let later = Manifest.Run(.waiting, number: 2, executed: .daysAgo(2))
            _ = try await stage.export(
                Manifest(runs: [later, soon, Manifest.Run(.success, 1, number: 3)]), "--max-wait", "0")
            _ = try await stage.export(Manifest.of(2, .success, 1, from: 70, name: "other"))
            let text = try await stage.run("status")
            #expect(text.status == 0)
            #expect(text.stdout.contains("today") && text.stdout.contains("other"))
            #expect(text.stdout.contains("incomplete") && text.stdout.contains("complete"))
            #expect(text.stdout.contains("2 runs"))
            #expect(text.stdout.contains("stored-actions export --unfinished"))
            let first = try #require(text.stdout.range(of: soon.id))
            let second = try #require(text.stdout.range(of: later.id))
            #expect(first.lowerBound < second.lowerBound)
            let one = try await stage.run("status", "--export", "1")
            #expect(one.status == 0)
            #expect(one.stdout.contains("today") && !one.stdout.contains("other"))
            #expect(one.stdout.contains("pending") && one.stdout.contains("waiting"))
            #expect(try await stage.run("status", "--export", "99").status != 0)
            #expect(try await stage.sandbox.stats.requests == 5)
        }
    }

    // MARK: check

    @Test func `check finds all in order, says where each setting comes from, and changes nothing`() async throws {
        try await Stage.with { stage in
            let finished = try await stage.run("check")
            #expect(finished.status == 0, "\(finished.stdout)")
            #expect(finished.stdout.contains("ZAPIER_API_URL"))
            #expect(finished.stdout.contains("ZAPIER_ACCESS_TOKEN"))
            #expect(finished.stdout.contains("PG*"))
            #expect(finished.stdout.contains(stage.sandbox.url))
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
            let flagged = try await stage.run(
                "check", "--api-url", stage.sandbox.url, "--database-url", "dbname=\(stage.database.name)")
            #expect(flagged.stdout.contains("--api-url") && flagged.stdout.contains("--database-url"))
        }
    }

    private static let wrongs: [(what: String, changes: [String: String?], status: Int32)] = [
        ("token", ["ZAPIER_ACCESS_TOKEN": "wrong"], 77), ("token", ["ZAPIER_ACCESS_TOKEN": nil], 78),
        ("token", ["ZAPIER_ACCESS_TOKEN_FILE": "none"], 78), ("API", ["ZAPIER_API_URL": "nonsense"], 78),
        ("API", ["ZAPIER_API_URL": "http://127.0.0.1:9"], 69), ("database", ["PGDATABASE": "no_such_database"], 78),
        ("database", ["DATABASE_URL": "postgres://[::1/x"], 78),
    ]

    @Test(arguments: wrongs.indices)
    func `check says of each thing what is wrong with it`(_ index: Int) async throws {
        let (what, changes, status) = Self.wrongs[index]
        try await Stage.with { stage in
            let finished = try await stage.run(["check", "--json"], changes: changes)
            #expect(finished.status == status, "\(changes): \(finished.stdout)")
            let object = try finished.object()
            #expect(object["exit_status"] as? Int == Int(status))
            let checks = object["checks"] as? [[String: Any]] ?? []
            let wrong = checks.filter { $0["ok"] as? Bool == false }
            #expect(wrong.count == 1, "\(finished.stdout)")
            // Whether it is the address or the token cannot be told where nobody answers.
            #expect(wrong.first?["what"] as? String == what || what == "API", "\(finished.stdout)")
            #expect((wrong.first?["detail"] as? String)?.isEmpty == false)
        }
    }

    @Test func `check finds a schema that is newer than the program`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            try await stage.database.execute(
                "insert into schema_migrations (version, name, checksum, tool_version) values (9999, 'x', 'x', 'x')")
            let finished = try await stage.run("check")
            #expect(finished.status == 78)
            #expect(finished.stdout.contains("schema"))
        }
    }

    @Test(arguments: [true, false])
    func `A newer schema is read by status, check and prune --dry-run where it says that it can be`(
        _ isCompatible: Bool
    ) async throws {
        try await Stage.with { stage in
            #expect(try await stage.export(.of(2)).status == 0)
            try await stage.database.execute(
                """
                insert into schema_migrations (version, name, checksum, tool_version, compatible_since)
                select 9999, 'x', 'x', 'x', \(isCompatible ? "max(version)" : "max(9000)") from schema_migrations
                """)
            for arguments in [["status"], ["check"], ["prune", "--older-than", "1d", "--dry-run"]] {
                let finished = try await stage.run(arguments)
                #expect(
                    finished.status == (isCompatible ? 0 : 78), "\(arguments): \(finished.stdout) \(finished.stderr)")
                let told = finished.stdout + finished.stderr
                #expect(told.contains("9999") && told.contains("newer"), "\(arguments): \(told)")
            }
            // What writes is refused all the same.
            let chain = Chain(number: 1).root
            for arguments in [
                ["prune", "--older-than", "1d"], ["migrate"], ["migrate", "--check"],
                ["resolve", "--chain", chain, "--not-sent"], ["export", "--manifest", "today.json"],
                ["resolve", "--restored-to", "2026-01-01T00:00:00Z"], ["export", "--unfinished", "--no-migrate"],
            ] {
                let finished = try await stage.run(arguments)
                #expect(finished.status == 78, "\(arguments): \(finished.stderr)")
            }
        }
    }

    @Test func `Bad usage that comes to light late is one JSON object as well`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            for arguments in [["status", "--export", "9999"], ["check", "--api-url", "ftp://x"]] {
                let finished = try await stage.run(arguments + ["--json"])
                #expect(finished.status == 64, "\(arguments)")
                #expect(try finished.object()["exit_status"] as? Int == 64)
            }
        }
    }
}
