import Migrations
import Postgres
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Migrations")
struct MigratorTests {
    private func withSession(_ body: (PostgresSession) async throws -> Void) async throws {
        try await TestServer.withDatabase { database in
            try await PostgresSession.withSession(database) { try await body($0) }
        }
    }

    private static let first = Migration(version: 1, name: "one", sql: "create table stored_actions.one (id int)")
    private static let second = Migration(version: 2, name: "two", sql: "create table stored_actions.two (id int)")

    private static func migrator(_ migrations: Migration...) -> Migrator {
        Migrator(migrations: migrations, toolVersion: "test")
    }

    @Test("Are applied once, in order, and the second time there is nothing to do")
    func once() async throws {
        try await withSession { session in
            let migrator = Self.migrator(Self.first, Self.second)
            #expect(try await migrator.pending(on: session) == [Self.first, Self.second])
            #expect(try await migrator.migrate(on: session) == [Self.first, Self.second])
            #expect(try await migrator.migrate(on: session) == [])
            try await migrator.requireUpToDate(on: session)
        }
    }

    @Test("Go on where an older version stopped")
    func further() async throws {
        try await withSession { session in
            _ = try await Self.migrator(Self.first).migrate(on: session)
            #expect(try await Self.migrator(Self.first, Self.second).migrate(on: session) == [Self.second])
        }
    }

    @Test("Looking changes nothing")
    func pending() async throws {
        try await withSession { session in
            _ = try await Self.migrator(Self.first).pending(on: session)
            let schemas = try await session.query(
                "select count(*) as n from pg_namespace where nspname = 'stored_actions'")
            #expect(try schemas[0].decode("n") == 0)
        }
    }

    @Test("A failing one leaves nothing of itself")
    func failing() async throws {
        try await withSession { session in
            let broken = Migration(
                version: 2, name: "two", sql: "create table stored_actions.two (id int); select 1 / 0")
            await #expect(throws: PostgresError.self) {
                _ = try await Self.migrator(Self.first, broken).migrate(on: session)
            }
            let applied = try await Self.migrator(Self.first, Self.second).migrate(on: session)
            #expect(applied == [Self.second])
        }
    }

    @Test("An edited, a renamed, a missing one and a newer schema are refused")
    func refused() async throws {
        try await withSession { session in
            _ = try await Self.migrator(Self.first, Self.second).migrate(on: session)
            let edited = Migration(version: 1, name: "one", sql: "create table stored_actions.one (id bigint)")
            let renamed = Migration(version: 2, name: "zwei", sql: Self.second.sql)
            let third = Migration(version: 3, name: "three", sql: "select 1")
            let cases: [(Migrator, SchemaProblem)] = [
                (Self.migrator(edited, Self.second), .otherMigration(version: 1, name: "one")),
                (Self.migrator(Self.first, renamed), .otherMigration(version: 2, name: "two")),
                (Self.migrator(Self.first, third), .otherMigration(version: 2, name: "two")),
                (Self.migrator(Self.first), .newer(version: 2, own: 1)),
                (Self.migrator(), .newer(version: 2, own: 0)),
            ]
            for (migrator, problem) in cases {
                await #expect(throws: problem) { _ = try await migrator.migrate(on: session) }
            }
        }
    }

    private static let third = Migration(version: 3, name: "three", sql: "select 1", compatibleSince: 2)
    /// Version 2 is the one that brings the column, as some version has to.
    private static let telling = Migration(
        version: 2, name: "two", sql: "alter table stored_actions.schema_migrations add column compatible_since int")

    @Test("A newer schema can be read by versions that it says it is compatible with, and by no older ones")
    func compatible() async throws {
        try await withSession { session in
            let newest = Self.migrator(Self.first, Self.telling, Self.third)
            _ = try await newest.migrate(on: session)
            #expect(try await newest.requireReadable(on: session) == nil)
            let newer = try await Self.migrator(Self.first, Self.telling).requireReadable(on: session)
            #expect(newer == NewerSchema(version: 3, ownVersion: 2, readableSince: 2))
            // Writing is another matter.
            await #expect(throws: SchemaProblem.self) {
                try await Self.migrator(Self.first, Self.telling).requireUpToDate(on: session)
            }
            for (migrator, own) in [(Self.migrator(Self.first), 1), (Self.migrator(), 0)] {
                await #expect(throws: SchemaProblem.newer(version: 3, own: own)) {
                    _ = try await migrator.requireReadable(on: session)
                }
            }
            // One that says nothing is compatible with nobody, whatever came before it.
            let fourth = Migration(version: 4, name: "four", sql: "select 1")
            _ = try await Self.migrator(Self.first, Self.telling, Self.third, fourth).migrate(on: session)
            await #expect(throws: SchemaProblem.newer(version: 4, own: 2)) {
                _ = try await Self.migrator(Self.first, Self.telling).requireReadable(on: session)
            }
        }
    }

    @Test("A schema that is behind, or of another history, cannot be read")
    func unreadable() async throws {
        try await withSession { session in
            _ = try await Self.migrator(Self.first, Self.telling, Self.third).migrate(on: session)
            let edited = Migration(version: 1, name: "one", sql: "select 2")
            let cases: [(Migrator, SchemaProblem)] = [
                (Self.migrator(edited, Self.telling), .otherMigration(version: 1, name: "one")),
                (
                    Self.migrator(
                        Self.first, Self.telling, Self.third, Migration(version: 4, name: "four", sql: "select 1")),
                    .behind(version: 4, name: "four")
                ),
            ]
            for (migrator, problem) in cases {
                await #expect(throws: problem) { _ = try await migrator.requireReadable(on: session) }
            }
        }
    }

    @Test("Two migrators at once apply each migration once")
    func atOnce() async throws {
        try await TestServer.withDatabase { database in
            let applied = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await PostgresSession.withSession(database) { session in
                            try await Self.migrator(Self.first, Self.second).migrate(on: session).count
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(applied == 2)
        }
    }

    @Test("Give up when somebody holds a lock for long")
    func lockTimeout() async throws {
        try await withSession { session in
            let timeout = Migration(
                version: 1, name: "one",
                sql: "do $$ begin assert current_setting('lock_timeout') = '10s'; end $$")
            let applied = try await Self.migrator(timeout).migrate(on: session)
            #expect(applied == [timeout])
        }
    }

    @Test("Rejects of an older version get their keys where they are")
    func keysOfRejects() async throws {
        try await withSession { session in
            _ = try await Migrator(migrations: Array(Migration.all.prefix(3)), toolVersion: "test").migrate(on: session)
            _ = try await session.query(
                """
                insert into stored_actions.rejects (stored_action_id, run_id, what, reason, export_id)
                select gen_random_uuid(), gen_random_uuid(), 'extra', 'odd', 1 from generate_series(1, 1000)
                """)
            _ = try await Migrator(toolVersion: "test").migrate(on: session)
            let keys = try await session.query(
                "select count(distinct reject_id) as keys from stored_actions.rejects")
            #expect(try keys[0].decode("keys") == 1000)
        }
    }

    @Test("Every table, view and column of the schema has a comment")
    func comments() async throws {
        try await withSession { session in
            _ = try await Migrator(toolVersion: "test").migrate(on: session)
            let bare = try await session.query(
                """
                select c.relname || coalesce('.' || a.attname, '') as name
                  from pg_class c
                  left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 where c.relnamespace = 'stored_actions'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')
                   and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)
                """)
            #expect(try bare.map { try $0.decode("name", as: String.self) } == [])
        }
    }
}
