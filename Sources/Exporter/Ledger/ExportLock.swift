import Postgres

/// Keeps two exports of one manifest apart: a session's advisory lock for each manifest's name.
///
/// The lock belongs to the connection that writes, so it ends with the process, however that ends, and it cannot be
/// lost without the writer learning of it: a connection that comes back takes the lock again before it does anything
/// else. Behind a pooler that forgets such locks no connection is made (`PoolerProbe`).
package struct ExportLock: Sendable {
    /// Another export holds the lock.
    package struct Taken: Error, Sendable {
        /// Name of a manifest that another export is at.
        package var name: String
        /// nil if it let go of the lock meanwhile.
        package var holder: LockHolder?
    }

    /// What an export of `--unfinished` locks in place of a manifest's name. No manifest is called so: a name has no
    /// control characters.
    package static let unfinished = "\u{1}unfinished"

    /// What the lock's key is hashed from. The standard account's texts are those of versions without accounts: their
    /// exports are kept apart too.
    static func lockText(_ name: String, of account: ZapierAccount) -> String {
        let name = account == .standard ? name : "\u{1}account \(account.name)\u{1}\(name)"
        return "stored-actions export \(name)"
    }

    /// The name as messages show it.
    static func shown(_ name: String) -> String { name == unfinished ? "--unfinished" : name }

    private let names: [String]
    private let account: ZapierAccount

    package init(names: [String], account: ZapierAccount = .standard) {
        // One order everywhere, so that two exports of the same manifests don't take half each.
        self.names = names.sorted()
        self.account = account
    }

    /// Takes all the locks, or none.
    ///
    /// - Throws: `Taken`; `PostgresError`.
    func acquire(on connection: PostgresConnection) async throws {
        for (index, name) in names.enumerated() {
            let rows = try await connection.query(
                "select pg_try_advisory_lock(hashtextextended($1, 0)) as locked",
                [.text(Self.lockText(name, of: account))])
            guard try rows.first?.decode("locked") == true else {
                for held in names[..<index] { try await release(held, on: connection) }
                throw Taken(name: Self.shown(name), holder: try await holder(of: name, on: connection))
            }
        }
    }

    /// - Returns: nil where its tables are missing or older: the lock is taken all the same.
    private func holder(of name: String, on connection: PostgresConnection) async throws -> LockHolder? {
        do {
            return try await connection.query(SQL.lockHolders, LockHolder.parameters([name], of: account))
                .first.map(LockHolder.init)
        } catch let error as PostgresError where ["42P01", "42703", "3F000"].contains(error.sqlstate) {
            return nil
        }
    }

    private func release(_ name: String, on connection: PostgresConnection) async throws {
        _ = try await connection.query(
            "select pg_advisory_unlock(hashtextextended($1, 0))", [.text(Self.lockText(name, of: account))])
    }
}
