import ExportCore
import Foundation
import Postgres

/// Forgets what old answers brought. A run's row stays, with its outcome and its counts, so that no export asks for it
/// again. The cursors of a chain that has ended go too, for they may hold what the results did; only the one is kept that
/// a later manifest may let the chain go on with.
///
/// Batch by batch, each a transaction of its own that locks its runs in key order, as a loader does: a run's rows are
/// all there or all gone, and `pruned_at` tells which.
package struct Pruner: Sendable {
    private let session: PostgresSession
    private let batch: PruneBatch

    package init(session: PostgresSession) { self.init(session: session, batch: PruneBatch()) }

    init(session: PostgresSession, batch: PruneBatch) {
        self.session = session
        self.batch = batch
    }

    /// To be done with every connection of the session. A batch names few keys of tables that may be large; by its own
    /// reckoning the server reads such a table whole for them, again for each batch.
    package static func setUp(_ connection: PostgresConnection) async throws {
        try await connection.execute(script: "set enable_hashjoin = off; set enable_mergejoin = off")
    }

    /// - Parameters:
    ///   - dryRun: counts, and changes nothing.
    ///   - isStopped: asked between two batches.
    ///   - told: gets the counts so far after each batch.
    /// - Returns: whether nothing is left in the scope. What was pruned before an error stays so.
    package func prune(
        _ scope: PruneScope, dryRun: Bool, isStopped: () -> Bool = { false }, told: (PruneCounts) -> Void = { _ in }
    ) async throws -> Bool {
        var counts = PruneCounts()
        var last: RunKey?
        while true {
            if isStopped() { return false }
            let keys = batch.cut(try await candidates(scope, after: last))
            guard let end = keys.last else { return true }
            counts += dryRun ? try await session.count(keys) : try await prune(keys, scope)
            told(counts)
            last = end
        }
    }

    /// Whether any manifest of the account named a run of it.
    package func knows(storedAction id: UUID, of account: ZapierAccount = .standard) async throws -> Bool {
        try await !session.query(
            "select from stored_actions.actions where stored_action_id = $1 and account = $2",
            [.uuid(id), .text(account.name)]
        ).isEmpty
    }

    /// What of the scope is not to be pruned.
    package func kept(_ scope: PruneScope) async throws -> PruneKept {
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

    private func candidates(_ scope: PruneScope, after last: RunKey?) async throws -> [PruneBatch.Candidate] {
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
            scope.parameters + [.uuid(last?.storedActionID), .uuid(last?.runID), .int(batch.runs)])
        return try rows.map { row in
            PruneBatch.Candidate(
                key: try RunKey(row), rows: try row.decode("rows"), bytes: try row.decode("bytes"))
        }
    }

    private func prune(_ keys: [RunKey], _ scope: PruneScope) async throws -> PruneCounts {
        // Tells the batch again when the answer to its COMMIT was lost.
        let now = scope.now
        return try await session.transaction { transaction in
            try transaction.lock(keys)
            let keys = try transaction.stillToGo(keys, scope)
            guard !keys.isEmpty else { return PruneCounts() }
            let counts = try PruneCounts(transaction.query(PruneCounts.query, keys.parameters), runs: keys.count)
            try transaction.delete(keys)
            try transaction.markPruned(keys, at: now)
            try transaction.forgetChains(of: keys)
            return counts
        } wasCommitted: { transaction in
            try transaction.hasPruned(keys, at: now)
        }
    }
}

extension PostgresSession {
    fileprivate func count(_ keys: [RunKey]) async throws -> PruneCounts {
        try PruneCounts(await query(PruneCounts.query, keys.parameters), runs: keys.count)
    }
}

extension PostgresTransaction {
    /// What depends on the locks is read by a statement of its own: one that had to wait would judge by what was there
    /// before the wait, such as the rows of an answer that a refetch has replaced since.
    fileprivate borrowing func lock(_ keys: [RunKey]) throws {
        _ = try query(
            """
            select 1 as one
              from stored_actions.runs r
              join unnest($1::uuid[], $2::uuid[]) as k(stored_action_id, run_id) using (stored_action_id, run_id)
             order by r.stored_action_id, r.run_id
               for update of r
            """, keys.parameters)
    }

    fileprivate borrowing func stillToGo(_ keys: [RunKey], _ scope: PruneScope) throws -> [RunKey] {
        try query(
            """
            select r.stored_action_id, r.run_id
              from stored_actions.runs r
              join unnest($5::uuid[], $6::uuid[]) as k(stored_action_id, run_id) using (stored_action_id, run_id)
             where \(PruneScope.isToGo)
            """, scope.parameters + keys.parameters
        ).map { try RunKey($0) }
    }

    fileprivate borrowing func delete(_ keys: [RunKey]) throws {
        for table in RunTable.allCases {
            _ = try query(
                """
                delete from \(table.name) x
                 using unnest($1::uuid[], $2::uuid[]) as r(stored_action_id, run_id)
                 where \(table.isOfRun)
                """, keys.parameters)
        }
    }

    fileprivate borrowing func markPruned(_ keys: [RunKey], at now: Date) throws {
        _ = try query(
            """
            update stored_actions.runs r
               set pruned_at = $3, extra = null, extra_raw = null, page = left(r.page, 0),
                   next_page = case when \(PruneScope.isOfChain) then left(r.next_page, 0) else r.next_page end,
                   loaded_at = now()
              from unnest($1::uuid[], $2::uuid[]) as k(stored_action_id, run_id)
             where r.stored_action_id = k.stored_action_id and r.run_id = k.run_id
            """, keys.parameters + [.timestamp(now)])
    }

    /// Of chains that nothing lets go on, once nothing is stored of their pages. Their intents go with the cursors: what
    /// these were to forbid cannot happen any more.
    fileprivate borrowing func forgetChains(of keys: [RunKey]) throws {
        _ = try query(
            """
            with forgotten as (
              select c.stored_action_id, c.root_run_id
                from stored_actions.page_chains c
               where (c.stored_action_id, c.root_run_id) in (
                       select r.stored_action_id, r.root_run_id
                         from stored_actions.runs r
                         join unnest($1::uuid[], $2::uuid[]) as k(stored_action_id, run_id)
                           using (stored_action_id, run_id))
                 and c.end_reason in ('last_page', 'empty_pages', 'repeated_cursor')
                 and not exists (select from stored_actions.runs r
                                  where r.stored_action_id = c.stored_action_id and r.root_run_id = c.root_run_id
                                    and r.fetched_at is not null and r.pruned_at is null)
               order by c.stored_action_id, c.root_run_id
                 for update of c
            ), cleared as (
              update stored_actions.page_chains c
                 set next_page = left(c.next_page, 0), first_page = '', loaded_at = now()
                from forgotten f
               where c.stored_action_id = f.stored_action_id and c.root_run_id = f.root_run_id
            )
            delete from stored_actions.page_intents p
             using forgotten f
             where p.stored_action_id = f.stored_action_id and p.root_run_id = f.root_run_id
            """, keys.parameters)
    }

    fileprivate borrowing func hasPruned(_ keys: [RunKey], at now: Date) throws -> Bool {
        try !query(
            """
            select
              from stored_actions.runs r
              join unnest($1::uuid[], $2::uuid[]) as k(stored_action_id, run_id) using (stored_action_id, run_id)
             where r.pruned_at = $3
             limit 1
            """, keys.parameters + [.timestamp(now)]
        ).isEmpty
    }
}

extension PruneCounts {
    /// A row for each table; `$1` and `$2` are the runs' keys.
    fileprivate static let query = RunTable.allCases.map { table in
        """
        select '\(table.rawValue)' as relation, count(*) as rows, coalesce(sum(\(table.size)), 0)::bigint as bytes
          from unnest($1::uuid[], $2::uuid[]) as r(stored_action_id, run_id)
          join \(table.name) x on \(table.isOfRun)
        """
    }.joined(separator: "\nunion all\n")

    fileprivate init(_ tables: PostgresRows, runs: Int) throws {
        self.runs = runs
        for row in tables {
            rows[try row.decode("relation")] = try row.decode("rows", as: Int.self)
            bytes += try row.decode("bytes", as: Int.self)
        }
    }
}
