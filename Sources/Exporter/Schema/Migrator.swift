import Crypto
import Foundation
import Migrations
import Postgres

/// Brings the schema up to date: each migration once, in order, in a transaction of its own, under a lock that all
/// migrators share. What was applied is remembered with its checksum.
package struct Migrator: Sendable {
    let migrations: [Migration]
    private let toolVersion: String

    package init(migrations: [Migration] = Migration.all, toolVersion: String) {
        self.migrations = migrations
        self.toolVersion = toolVersion
    }

    /// The migrations that are still to be applied. Changes nothing.
    ///
    /// - Throws: `SchemaProblem` if the schema is newer or not of this history; `PostgresError`.
    package func pending(on session: PostgresSession) async throws -> [Migration] {
        try await session.transaction { transaction in
            if let refusal = try SchemaOwnership(transaction).refusalOfUse { throw refusal }
            return try plan(try MigrationStore.applied(in: transaction))
        } wasCommitted: { _ in
            true
        }
    }

    /// Makes sure that nothing is pending. Changes nothing.
    ///
    /// - Throws: `SchemaProblem`, `behind` if a migration is to be applied; `PostgresError`.
    package func requireUpToDate(on session: PostgresSession) async throws {
        guard let first = try await pending(on: session).first else { return }
        throw SchemaProblem(behind: first)
    }

    /// Applies what is pending.
    ///
    /// - Returns: what was applied.
    /// - Throws: `SchemaProblem`; `PostgresError`, of kind `lockNotAvailable` when someone held a lock for too long.
    package func migrate(on session: PostgresSession) async throws -> [Migration] {
        var applied: [Migration] = []
        while let next = try await pending(on: session).first {
            if try await apply(next, on: session) { applied.append(next) }
        }
        return applied
    }

    /// - Returns: false if another migrator was faster.
    private func apply(_ migration: Migration, on session: PostgresSession) async throws -> Bool {
        do {
            return try await applyOnce(migration, on: session)
        } catch {
            throw await SchemaProblem.explaining(error, on: session)
        }
    }

    private func applyOnce(_ migration: Migration, on session: PostgresSession) async throws -> Bool {
        // A migration that waits for a lock makes every session behind it wait too: better to give up.
        try await session.transaction(lockLimit: .seconds(10)) { transaction in
            try MigrationStore.lockOutOthers(in: transaction)
            guard try plan(MigrationStore.applied(in: transaction)).first == migration else { return false }
            try apply(migration, in: transaction)
            return true
        } wasCommitted: { transaction in
            try MigrationStore.applied(in: transaction).contains(AppliedMigration(migration))
        }
    }

    func apply(_ migration: Migration, in transaction: borrowing PostgresTransaction) throws {
        let ownership = try SchemaOwnership(transaction)
        if let refusal = ownership.refusal { throw refusal }
        if ownership.owner == nil { try MigrationStore.createSchema(as: ownership.role, in: transaction) }
        try MigrationStore.becomeSchemaOwner(in: transaction)
        if try !MigrationStore.hasHistory(in: transaction) { try MigrationStore.createHistory(in: transaction) }
        try transaction.execute(script: migration.sql)
        try MigrationStore.insert(migration, toolVersion: toolVersion, in: transaction)
    }

    /// What is to be done, given what was done. Pure.
    func plan(_ applied: [AppliedMigration]) throws(SchemaProblem) -> [Migration] {
        if let last = applied.last, last.version > (migrations.last?.version ?? 0) {
            throw .newer(version: last.version, own: migrations.last?.version ?? 0)
        }
        try requireSame(applied)
        return Array(migrations.dropFirst(applied.count))
    }

    /// - Throws: if a migration that was applied is not the one in this binary.
    func requireSame(_ applied: [AppliedMigration]) throws(SchemaProblem) {
        for (old, migration) in zip(applied, migrations) where old != AppliedMigration(migration) {
            throw .otherMigration(version: old.version, name: old.name)
        }
    }
}

/// A migration as the database remembers it.
struct AppliedMigration: Sendable, Equatable {
    var version: Int
    var name: String
    var checksum: String
}

extension AppliedMigration {
    init(_ migration: Migration) {
        self.init(version: migration.version, name: migration.name, checksum: migration.checksum)
    }
}

extension Migration {
    var checksum: String {
        SHA256.hash(data: Data(sql.utf8)).map { String(format: "%02x", $0) }.joined()
    }
}
