import ExportCore
import Foundation
import Postgres

/// What a prune reads and changes: of the runs that are old enough, what hangs on them and the cursors of their chains.
enum PruneStore {
    // MARK: The scope

    /// Whether any manifest of the account named a run of it.
    static func contains(
        storedAction id: UUID, of account: ZapierAccount, on session: PostgresSession
    ) async throws -> Bool {
        try await !session.query(
            "select from stored_actions.actions where stored_action_id = $1 and account = $2",
            [.uuid(id), .text(account.name)]
        ).isEmpty
    }

    /// What of the scope is not to be pruned.
    static func kept(_ scope: PruneScope, on session: PostgresSession) async throws -> PruneKept {
        let rows = try await session.query(
            """
            select count(*) filter (where not \(PruneScope.isSettled)) as unsettled,
                   count(*) filter (where \(PruneScope.isSettled) and \(PruneScope.isOfOpenChain)) as of_open_chains
              from stored_actions.runs r
             where \(PruneScope.isOld)
            """, scope.parameters)
        guard let row = rows.first else { return PruneKept() }
        return PruneKept(
            unsettled: try row.decode("unsettled"), ofOpenChains: try row.decode("of_open_chains"))
    }

    /// The next runs of the scope, in key order.
    static func candidates(
        _ scope: PruneScope, after last: RunKey?, limit: Int, on session: PostgresSession
    ) async throws -> [PruneBatch.Candidate] {
        let rows = try await session.query(
            """
            select r.stored_action_id, r.run_id, r.result_count + r.error_count as rows,
                   coalesce(pg_column_size(b.body), 0) as bytes
              from stored_actions.runs r
              left join stored_actions.run_bodies b using (stored_action_id, run_id)
             where \(PruneScope.isToGo)
               and ($5::uuid is null or (r.stored_action_id, r.run_id) > ($5, $6::uuid))
             order by r.stored_action_id, r.run_id
             limit $7
            """,
            scope.parameters + last.parameters + [.int(limit)])
        return try rows.map { row in
            PruneBatch.Candidate(
                key: try RunKey(row), rows: try row.decode("rows"), bytes: try row.decode("bytes"))
        }
    }

    /// What the runs have, without changing it.
    static func count(_ keys: [RunKey], on session: PostgresSession) async throws -> PruneCounts {
        try PruneCounts(await session.query(countStatement, keys.parameters), runs: keys.count)
    }

    // MARK: A batch

    /// What depends on the locks is read by a statement of its own: one that had to wait would judge by what was there
    /// before the wait, such as the rows of an answer that a refetch has replaced since.
    static func lock(_ keys: [RunKey], in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(
            """
            select 1 as one
              from stored_actions.runs r
              join \(RunKey.unnested()) using (stored_action_id, run_id)
             order by r.stored_action_id, r.run_id
               for update of r
            """, keys.parameters)
    }

    static func stillToGo(
        _ keys: [RunKey], _ scope: PruneScope, in transaction: borrowing PostgresTransaction
    ) throws -> [RunKey] {
        try transaction.query(
            """
            select r.stored_action_id, r.run_id
              from stored_actions.runs r
              join \(RunKey.unnested(at: 5)) using (stored_action_id, run_id)
             where \(PruneScope.isToGo)
            """, scope.parameters + keys.parameters
        ).map { try RunKey($0) }
    }

    static func count(_ keys: [RunKey], in transaction: borrowing PostgresTransaction) throws -> PruneCounts {
        try PruneCounts(transaction.query(countStatement, keys.parameters), runs: keys.count)
    }

    static func mark(_ keys: [RunKey], at now: Date, in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(
            """
            update stored_actions.runs r
               set pruned_at = $3, extra = null, extra_raw = null, page = left(r.page, 0),
                   next_page = case when \(PruneScope.isOfChain) then left(r.next_page, 0) else r.next_page end,
                   loaded_at = now()
              from \(RunKey.unnested())
             where r.stored_action_id = k.stored_action_id and r.run_id = k.run_id
            """, keys.parameters + [.timestamp(now)])
    }

    /// The cursors of chains that nothing lets go on, once nothing is stored of their pages.
    static func forgetChains(of keys: [RunKey], in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(SQL.forgetChains, keys.parameters)
    }

    /// Whether that prune has marked any of the runs.
    static func hasMarked(
        _ keys: [RunKey], at now: Date, in transaction: borrowing PostgresTransaction
    ) throws -> Bool {
        try !transaction.query(
            """
            select
              from stored_actions.runs r
              join \(RunKey.unnested()) using (stored_action_id, run_id)
             where r.pruned_at = $3
             limit 1
            """, keys.parameters + [.timestamp(now)]
        ).isEmpty
    }

    /// SQL: a row for each table; `$1` and `$2` are the runs' keys.
    private static let countStatement = RunTable.allCases.map { table in
        """
        select '\(table.rawValue)' as relation, count(*) as rows, coalesce(sum(\(table.size)), 0)::bigint as bytes
          from \(RunKey.unnested(as: "r"))
          join \(table.name) x on \(table.isOfRun)
        """
    }.joined(separator: "\nunion all\n")
}

extension PruneCounts {
    fileprivate init(_ tables: PostgresRows, runs: Int) throws {
        self.runs = runs
        for row in tables {
            rows[try row.decode("relation")] = try row.decode("rows", as: Int.self)
            bytes += try row.decode("bytes", as: Int.self)
        }
    }
}
