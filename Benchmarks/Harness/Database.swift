/// The private PostgreSQL that the `PG*` variables lead to. Each measurement has a database of its own, cloned from one
/// that was prepared.
struct Database {
    let name: String

    static let maintenance = Database(name: "postgres")
    /// With the schema, and no rows.
    static let empty = Database(name: "bench_empty")
    /// With a million settled runs.
    static let settled = Database(name: "bench_settled")

    var environment: [String: String] { ["PGDATABASE": name] }

    /// Makes this database, in the place of an earlier one.
    func create(from template: Database? = nil) {
        drop()
        Self.maintenance.run(
            "create database \(name) template \(template?.name ?? "template1") strategy file_copy")
    }

    func drop() { Self.maintenance.run("drop database if exists \(name) with (force)") }

    func run(_ sql: String) { psql(sql, output: "/dev/null").waitForSuccess() }

    /// - Returns: the fields of the only row.
    func row(_ sql: String, work: WorkFolder) -> [String] {
        let file = work.path("row")
        psql(sql, output: file).waitForSuccess()
        return (read(file).split(separator: "\n").first ?? "").split(separator: "|", omittingEmptySubsequences: false)
            .map(String.init)
    }

    func write(_ sql: String, to file: String) { psql("copy (\(sql)) to stdout", output: file).waitForSuccess() }

    func psql(_ sql: String, input: String = "/dev/null", output: String = "/dev/null") -> Child {
        Child(
            ["psql", "-qXAt", "--set", "ON_ERROR_STOP=1", "--dbname", name, "--command", sql],
            environment: ["PGOPTIONS": "-c client_min_messages=warning"], input: input, output: output)
    }
}

/// What PostgreSQL holds and has written.
struct DatabaseSize {
    /// Position in the write-ahead log, bytes.
    var wal: Double
    /// Tables of the schema with their indexes, bytes.
    var tables: Double

    init(_ database: Database, work: WorkFolder) {
        let row = database.row(
            """
            select pg_current_wal_lsn() - '0/0'::pg_lsn,
                   (select coalesce(sum(pg_total_relation_size(c.oid)), 0)
                      from pg_class c
                     where c.relkind = 'r' and c.relnamespace in ('stored_actions'::regnamespace, 'public'::regnamespace))
            """, work: work)
        guard row.count == 2, let wal = Double(row[0]), let tables = Double(row[1]) else {
            fail("PostgreSQL did not tell its sizes")
        }
        (self.wal, self.tables) = (wal, tables)
    }
}
