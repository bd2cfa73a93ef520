import Foundation
import Postgres
import Support

/// A database of a test's own on the server that the `PG*` variables name.
struct TestDatabase: Sendable {
    let name: String
    /// The `PG*` variables that lead a program here.
    let environment: [String: String]
    private let connection: PostgresConnection

    /// - Throws: `TestServer.Missing` where there is no server.
    static func with<R>(_ body: (TestDatabase) async throws -> R) async throws -> R {
        _ = try TestServer()
        let own = ProcessInfo.processInfo.environment.filter { $0.key.hasPrefix("PG") }
        return try await TestServer.withDatabase { configuration in
            var configuration = configuration
            configuration.searchPath = "stored_actions"
            let connection = try await PostgresConnection(configuration)
            let name: String = try await connection.query("select current_database()::text as name")[0].decode("name")
            let database = TestDatabase(
                name: name, environment: own.merging(["PGDATABASE": name]) { $1 }, connection: connection)
            let result = await outcome { try await body(database) }
            await connection.close()
            return try result.get()
        }
    }

    /// A database that somebody else looks after.
    init(name: String, environment: [String: String], connection: PostgresConnection) {
        self.name = name
        self.environment = environment
        self.connection = connection
    }

    /// The rows of a query, their values as text with `|` between them; null is empty. Names are looked up in
    /// `stored_actions`.
    func rows(_ query: String, _ parameters: [PostgresParameter] = []) async throws -> [String] {
        try await connection.query(
            """
            select coalesce((select string_agg(coalesce(value, ''), '|')
                               from json_each_text(row_to_json(t))), '') as line
              from (\(query)) t
            """, parameters
        ).map { try $0.decode("line") }
    }

    func value(_ query: String, _ parameters: [PostgresParameter] = []) async throws -> String? {
        try await rows(query, parameters).first
    }

    func count(_ tableAndCondition: String) async throws -> Int {
        try await connection.query("select count(*) as n from \(tableAndCondition)")[0].decode("n")
    }

    /// Runs whose outcome is `success`; 0 before the schema exists.
    var storedSuccesses: Int {
        get async throws {
            guard try await holds("to_regclass('stored_actions.runs') is not null") else { return 0 }
            return try await count("runs where outcome = 'success'")
        }
    }

    func holds(_ condition: String, _ parameters: [PostgresParameter] = []) async throws -> Bool {
        try await connection.query("select coalesce(\(condition), false) as holds", parameters)[0].decode("holds")
    }

    /// Connections of the program.
    var sessions: Int {
        get async throws {
            try await count(
                """
                pg_catalog.pg_stat_activity where datname = current_database()
                   and pid <> pg_catalog.pg_backend_pid() and application_name like 'stored-actions%'
                """)
        }
    }

    func execute(_ script: String) async throws {
        try await connection.execute(script: script)
    }

    /// Every value of every column of every table, `schema_migrations` included, as one text; what is `bytea` as the
    /// text that its bytes are, too. Backslashes, which PostgreSQL doubles in both, are as they are stored.
    func everything() async throws -> String {
        let tables = try await rows(
            "select table_name from information_schema.tables where table_schema = 'stored_actions' order by 1")
        var text = ""
        for table in tables {
            let relation = "stored_actions.\(quoteIdentifier(table)) x"
            let binaries = try await rows(
                """
                select column_name from information_schema.columns
                 where table_schema = 'stored_actions' and table_name = $1 and data_type = 'bytea'
                """, [.text(table)])
            let values = ["x::text"] + binaries.map { "encode(x.\(quoteIdentifier($0)), 'escape')" }
            for value in values {
                text +=
                    try await rows("select replace(\(value), e'\\\\\\\\', e'\\\\') as line from \(relation)").joined(
                        separator: "\n") + "\n"
            }
        }
        return text
    }
}
