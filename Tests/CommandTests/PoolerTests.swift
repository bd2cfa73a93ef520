import Foundation
import Postgres
import Testing

import Glibc

/// PgBouncer between the program and the server.
@Suite("Poolers")
struct PoolerTests {
    struct Pool: Sendable, CustomTestStringConvertible {
        var mode: String
        var size: Int
        /// Processes that wait for work when the program comes.
        var idle = 0
        var more = ""

        var testDescription: String { "\(mode), \(size), \(idle) idle\(more.isEmpty ? "" : ", " + more)" }
    }

    private static let lending = [
        Pool(mode: "transaction", size: 1), Pool(mode: "transaction", size: 1, idle: 1),
        Pool(mode: "transaction", size: 2), Pool(mode: "transaction", size: 2, idle: 2),
        Pool(mode: "transaction", size: 2, idle: 2, more: "server_round_robin = 1"),
        Pool(mode: "transaction", size: 20), Pool(mode: "transaction", size: 20, idle: 5),
        Pool(mode: "transaction", size: 20, idle: 5, more: "server_round_robin = 1"),
        Pool(mode: "statement", size: 1), Pool(mode: "statement", size: 20, idle: 3),
    ]

    @Test(arguments: lending)
    func `A pooler that lends a process for a transaction is refused with 78, and nothing is left there`(
        _ pool: Pool
    ) async throws {
        try await Stage.with { stage in
            try await Pooler.with(pool.mode, size: pool.size, more: pool.more) { pooler in
                let name = stage.database.name
                if pool.idle > 0 { _ = try await pooler.ask(pool.idle, "select pg_sleep(0.3)", database: name) }
                let path = try stage.write(Manifest.of(3).json, to: "today.json")
                for arguments in [["export", "--manifest", path], ["status"], ["migrate"], ["check"]] {
                    let refused = try await stage.run(arguments + ["--json"], changes: pooler.changes)
                    #expect(refused.status == 78, "\(arguments): \(refused.stderr)")
                    #expect((refused.stderr + refused.stdout).contains("pooler in transaction mode"), "\(arguments)")
                }
                let names = try await stage.database.rows(
                    """
                    select application_name from pg_catalog.pg_stat_activity
                     where datname = current_database() and pid <> pg_catalog.pg_backend_pid()
                    """)
                #expect(!names.contains("stored-actions"))
                // PgBouncer ends a process of which it was asked for a transaction in statement mode.
                #expect(!names.isEmpty || pool.mode == "statement")
                let settings = try await pooler.ask(
                    max(1, pool.idle),
                    """
                    select current_setting('search_path'), current_setting('idle_in_transaction_session_timeout'),
                           pg_sleep(0.3)
                    """, database: name)
                #expect(Set(settings) == [#""$user", public|0|"#])
                #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
                #expect(try await stage.sandbox.finals.isEmpty)
            }
        }
    }

    @Test(arguments: [1, 2, 20])
    func `A pooler that lends a process for a session serves an export`(_ size: Int) async throws {
        try await Stage.with { stage in
            try await Pooler.with("session", size: size) { pooler in
                let export = try await stage.export(Manifest.of(30), changes: pooler.changes)
                #expect(export.status == 0, "\(export.finished.stderr)")
                #expect(try await stage.database.count("runs where outcome = 'success'") == 30)
            }
        }
    }

    @Test func `Two exports of a manifest are kept apart behind a pooler that lends a process for a session`()
        async throws
    {
        try await Stage.with { stage in
            try await Pooler.with("session", size: 20) { pooler in
                let manifest = Manifest.endless(2)
                let first = try await stage.export(manifest, changes: pooler.changes) { running in
                    try await wait("the first is under way") { try await stage.sandbox.stats.requests >= 3 }
                    let second = try await stage.run(
                        "export", "--json", "--manifest", stage.folder.appending(path: "today.json").path,
                        changes: pooler.changes)
                    #expect(second.status == 75, "\(second.stderr)")
                    running.send(SIGTERM)
                }
                #expect(first.status == 143)
            }
        }
    }

    @Test func `A session that comes back ends nobody else's, whom the pooler has lent its process since`() async throws
    {
        try await Stage.with { stage in
            try await Pooler.with("session", size: 20) { pooler in
                let wire = try Proxy(before: pooler.port, .postgres, [])
                defer { wire.close() }
                let url = { (port: UInt16) in
                    "postgresql://postgres@127.0.0.1:\(port)/\(stage.database.name)?sslmode=disable&gssencmode=disable"
                }
                let lost = PostgresSession(PostgresConfiguration(connectionString: url(wire.port)))
                let process = try await lost.query("select pg_backend_pid() as pid")[0].decode("pid", as: Int.self)
                wire.cutConnections()
                // One of the others gets the process that the lost session had.
                let others = try await (0..<3).asyncMap { _ in
                    try await PostgresConnection(PostgresConfiguration(connectionString: url(pooler.port)))
                }
                let processes = try await others.asyncMap {
                    try await $0.query("select pg_backend_pid() as pid")[0].decode("pid", as: Int.self)
                }
                let index = try #require(processes.firstIndex(of: process))
                _ = try await lost.query("select 1 as one")
                let still = try await others[index].query("select pg_backend_pid() as pid")[0]
                #expect(try still.decode("pid", as: Int.self) == process)
                for other in others { await other.close() }
                await lost.close()
            }
        }
    }
}

extension Sequence {
    fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
        var result: [T] = []
        for element in self { result.append(try await transform(element)) }
        return result
    }
}
