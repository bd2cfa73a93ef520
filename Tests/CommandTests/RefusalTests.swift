import Foundation
import Postgres
import Testing

/// What the program refuses before it begins: 64, 69 and 78.
@Suite("Refusals")
struct RefusalTests {
    @Test(arguments: [
        ["--concurrency", "0"], ["--concurrency", "-1"], ["--concurrency", "many"],
        ["--concurrency", "99999999999999999999"],
        ["--budget-share", "0"], ["--budget-share", "1.01"], ["--budget-share", "nan"], ["--budget-share", "-0.5"],
        ["--max-wait", "5"], ["--max-wait", "5w"], ["--max-wait", "-1s"], ["--max-wait", "s"], ["--max-wait", ""],
        ["--max-wait", "99999999999999999999s"], ["--time-limit", "soon"], ["--time-limit", "0"],
        ["--fail-on", "sucess"], ["--fail-on", ""], ["--fail-on", "error,,expired"], ["--allow", "failed"],
        ["--allow", "truncated"], ["--if-locked", "perhaps"], ["--log-level", "loud"], ["--log-format", "xml"],
        ["--token", "secret"], ["--no-such-option"], ["stray"], ["--name", "x"], ["--unfinished"],
    ])
    func `A bad option ends with 64 before anything is done`(_ options: [String]) async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest.of(1).json, to: "today.json")
            for json in [["--json"], []] {
                let finished = try await stage.run(["export", "--manifest", path] + options + json)
                #expect(finished.status == 64, "\(options): \(finished.stderr)")
                #expect(!finished.stderr.isEmpty)
                if json.isEmpty {
                    #expect(finished.stdout == "")
                } else {
                    #expect(try finished.object()["exit_status"] as? Int == 64)
                }
            }
            #expect(try await stage.sandbox.stats.requests == 0)
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
        }
    }

    @Test(arguments: [["export"], ["validate"], ["frobnicate"], ["status", "--export", "first"], ["migrate", "now"]])
    func `A command that is incomplete or unknown ends with 64`(_ arguments: [String]) async throws {
        try await Stage.with { stage in
            #expect(try await stage.run(arguments).status == 64)
            let json = try await stage.run(arguments + ["--json"])
            #expect(json.status == 64)
            #expect(try json.object()["exit_status"] as? Int == 64)
        }
    }

    // MARK: Nobody there

    @Test func `No API at the start ends with 69 after a bounded number of tries`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.of(5), changes: ["ZAPIER_API_URL": "http://127.0.0.1:9"])
            #expect(export.status == 69)
            #expect(try export.finished.object()["exit_status"] as? Int == 69)
            #expect(try await stage.database.count("runs where outcome <> 'queued'") == 0)
            #expect(try await stage.database.rows("select outcome, exit_status from exports") == ["failed|69"])
            #expect(try await stage.export(Manifest.of(5)).status == 0)
        }
    }

    @Test func `No database at the start ends with 69 within bounded time`() async throws {
        try await Stage.with { stage in
            for arguments in [
                ["export", "--manifest", try stage.write(Manifest.of(1).json, to: "today.json")], ["status"],
            ] {
                let finished = try await stage.run(
                    arguments + ["--json"], changes: ["PGHOST": "127.0.0.1", "PGPORT": "9"])
                #expect(finished.status == 69, "\(arguments): \(finished.stderr)")
                #expect(try finished.object()["exit_status"] as? Int == 69)
            }
            #expect(try await stage.sandbox.stats.requests == 0)
        }
    }

    // MARK: Settings

    private static let badSettings: [(what: String, changes: [String: String?])] = [
        ("no token", ["ZAPIER_ACCESS_TOKEN": nil]), ("an empty token", ["ZAPIER_ACCESS_TOKEN": ""]),
        ("a token with a line break", ["ZAPIER_ACCESS_TOKEN": "tok\nX-Evil: 1"]),
        ("a token with a control character", ["ZAPIER_ACCESS_TOKEN": "tok\u{1}en"]),
        ("a token with a space", ["ZAPIER_ACCESS_TOKEN": "two words"]),
        ("no token file", ["ZAPIER_ACCESS_TOKEN_FILE": "no-such-file"]),
        ("an empty token file", ["ZAPIER_ACCESS_TOKEN_FILE": "empty"]),
        ("a folder as token file", ["ZAPIER_ACCESS_TOKEN_FILE": "."]),
        ("a token file of two lines", ["ZAPIER_ACCESS_TOKEN_FILE": "two-lines"]),
        ("a token file that is not UTF-8", ["ZAPIER_ACCESS_TOKEN_FILE": "binary"]),
        ("an API URL without scheme", ["ZAPIER_API_URL": "api.example.com"]),
        ("an API URL of another scheme", ["ZAPIER_API_URL": "ftp://example.com"]),
        ("an API URL without host", ["ZAPIER_API_URL": "http://"]),
        ("an API URL with a password", ["ZAPIER_API_URL": "http://user:hidden-word@127.0.0.1"]),
        ("a DATABASE_URL that is none", ["DATABASE_URL": "postgres://[::1/x"]),
        ("a database that is not there", ["PGDATABASE": "no_such_database"]),
        ("a token with its name", ["ZAPIER_ACCESS_TOKEN": "ZAPIER_ACCESS_TOKEN=hidden-word"]),
        ("a token with quotation marks", ["ZAPIER_ACCESS_TOKEN": "\"hidden-word\""]),
        ("a token with its scheme", ["ZAPIER_ACCESS_TOKEN": "Bearer hidden-word"]),
    ]

    /// What libpq would read, and what of it has to be named.
    private static let badVariables: [(changes: [String: String?], named: String)] = [
        (["PGPORT": "abc"], "PGPORT"), (["PGPORT": "99999"], "PGPORT"), (["PGPORT": "0"], "PGPORT"),
        (["PGPORT": "5432;hidden-word"], "PGPORT"), (["PGHOST": "127.0.0.1\r"], "PGHOST"),
        (["PGHOST": "\"127.0.0.1\""], "PGHOST"), (["PGHOST": "127.0.0.1:5432"], "PGHOST"),
        (["PGHOST": "postgresql://me:hidden-word@127.0.0.1/x"], "PGHOST"),
        (["PGHOST": "me:hidden-word@127.0.0.1"], "PGHOST"),
        (["PGDATABASE": "postgresql://me:hidden-word@127.0.0.1/x"], "PGDATABASE"),
        (["PGDATABASE": "host=127.0.0.1 password=hidden-word"], "PGDATABASE"), (["PGDATABASE": "x\n"], "PGDATABASE"),
        (["PGUSER": "postgres\r"], "PGUSER"), (["PGPASSWORD": "hidden-word\r\n"], "PGPASSWORD"),
        (["PGSSLMODE": "sometimes"], "PGSSLMODE"), (["PGSSLMODE": "hidden-word"], "PGSSLMODE"),
        (["PGSSLMODE": "verify-full"], "PGSSLMODE"),
        (["PGSSLMODE": "verify-ca", "PGSSLROOTCERT": "/none"], "PGSSLROOTCERT"),
        (["PGCHANNELBINDING": "yes"], "PGCHANNELBINDING"), (["PGGSSENCMODE": "yes"], "PGGSSENCMODE"),
        (["PGTARGETSESSIONATTRS": "master"], "PGTARGETSESSIONATTRS"),
        (["PGCONNECT_TIMEOUT": "soon"], "PGCONNECT_TIMEOUT"),
        (["PGSSLMINPROTOCOLVERSION": "1.2"], "PGSSLMINPROTOCOLVERSION"),
        (["PGSSLMAXPROTOCOLVERSION": "3"], "PGSSLMAXPROTOCOLVERSION"),
        (["PGSERVICE": "hidden-word"], "PGSERVICE"), (["PGSERVICE": "x", "PGSERVICEFILE": "/none"], "PGSERVICE"),
        (["PGSERVICE": "malformed", "PGSERVICEFILE": "services"], "PGSERVICE"),
        (["PGSERVICE": "port", "PGSERVICEFILE": "services"], "port in the service file"),
        (["PGOPTIONS": "-c no_such=1"], "PGOPTIONS"), (["PGOPTIONS": "hidden-word"], "PGOPTIONS"),
        (["PGOPTIONS": "-c work_mem=hidden-word"], "work_mem"), (["PGTZ": "hidden-word"], "PGTZ"),
        (["PGDATESTYLE": "hidden-word"], "PGDATESTYLE"),
        (["DATABASE_URL": "postgresql://me:a/hidden-word@127.0.0.1/x"], "DATABASE_URL"),
        (["DATABASE_URL": "postgresql://me:1/hidden-word@127.0.0.1/x"], "DATABASE_URL"),
        (["DATABASE_URL": "service=hidden-word"], "DATABASE_URL"),
    ]

    @Test func `A malformed setting of the database ends with 78 at once, is named and not quoted`() async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest.of(1).json, to: "today.json")
            try stage.write("[port]\nport=hidden-word\nhost=127.0.0.1\n[malformed]\nhidden-word\n", to: "services")
            for (changes, named) in Self.badVariables {
                for arguments in [["export", "--manifest", path], ["check"]] {
                    let finished = try await stage.run(arguments + ["--json"], changes: changes)
                    let said = finished.stderr + finished.stdout
                    #expect(finished.status == 78, "\(changes): \(said)")
                    #expect(said.contains(named), "\(changes): \(said)")
                    #expect(!said.contains("hidden-word"), "\(changes): \(said)")
                }
            }
            #expect(try await stage.sandbox.finals.isEmpty)
        }
    }

    @Test(arguments: badSettings.indices)
    func `A setting that is missing or invalid ends with 78, and the request never leaves`(_ index: Int) async throws {
        let (what, changes) = Self.badSettings[index]
        try await Stage.with { stage in
            try stage.write("", to: "empty")
            try stage.write("one\ntwo\n", to: "two-lines")
            try stage.write([0xC3, 0x28, 0x0A], to: "binary")
            let export = try await stage.export(Manifest.of(1), changes: changes)
            #expect(export.status == 78, "\(what): \(export.finished.stderr)")
            #expect(try export.finished.object()["exit_status"] as? Int == 78, "\(what)")
            #expect(!export.finished.stderr.contains("hidden-word"))
            #expect(!export.finished.stdout.contains("hidden-word"))
            #expect(try await stage.sandbox.stats.requests == 0)
        }
    }

    @Test(arguments: [
        "postgresql://someone:hidden-word@127.0.0.1/db", "postgresql://127.0.0.1/db?password=hidden-word",
        "host=127.0.0.1 password=hidden-word",
    ])
    func `A password in --database-url is refused with 78 and not repeated`(_ url: String) async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest.of(1).json, to: "today.json")
            for arguments in [["export", "--manifest", path], ["status"], ["migrate"]] {
                let finished = try await stage.run(arguments + ["--database-url", url, "--json"])
                #expect(finished.status == 78, "\(finished.stderr)")
                #expect(!(finished.stderr + finished.stdout).contains("hidden-word"))
            }
        }
    }

    @Test(arguments: [
        "insert into schema_migrations (version, name, checksum, tool_version) values (9999, 'future', 'x', '99')",
        "update schema_migrations set checksum = 'edited' where version = 1",
    ])
    func `A schema that is newer than the program, or edited, is refused with 78`(_ change: String) async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            _ = try await stage.database.execute(change)
            let path = try stage.write(Manifest.of(1).json, to: "today.json")
            for arguments in [["export", "--manifest", path], ["migrate"], ["migrate", "--check"], ["status"]] {
                let finished = try await stage.run(arguments + ["--json"])
                #expect(finished.status == 78, "\(arguments): \(finished.stderr)")
                #expect(try finished.object()["exit_status"] as? Int == 78)
            }
            #expect(try await stage.sandbox.stats.requests == 0)
            #expect(try await stage.database.count("exports") == 0)
        }
    }

    @Test func `Flags win over the environment, and the URL of the database over libpq's variables`() async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest.of(2).json, to: "today.json")
            let file = try stage.write("\n \(Sandbox.token) \n", to: "token")
            let nowhere = "http://127.0.0.1:9"
            let database = "dbname=\(stage.database.name)"
            let calls: [(options: [String], changes: [String: String?])] = [
                (["--api-url", stage.sandbox.url], ["ZAPIER_API_URL": nowhere]),
                (["--api-url", stage.sandbox.url + "/"], ["ZAPIER_API_URL": nil]),
                (["--database-url", database], ["PGDATABASE": "none", "DATABASE_URL": "dbname=none"]),
                ([], ["PGDATABASE": "none", "DATABASE_URL": database]),
                ([], ["ZAPIER_ACCESS_TOKEN_FILE": file, "ZAPIER_ACCESS_TOKEN": "wrong"]),
                ([], ["DATABASE_URL": "", "ZAPIER_ACCESS_TOKEN_FILE": ""]),
            ]
            for call in calls {
                let finished = try await stage.run(
                    ["export", "--manifest", path, "--refetch"] + call.options, changes: call.changes)
                #expect(finished.status == 0, "\(call.options), \(call.changes): \(finished.stderr)")
            }
        }
    }
}
