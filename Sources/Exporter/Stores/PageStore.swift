import ExportCore
import Foundation
import Postgres

/// The chains of a batch's roots and pages: what a batch reads and changes of `page_chains`.
enum PageStore {
    /// Locks the chains in key order. What depends on the lock is read by a statement of its own: one that had to wait
    /// would show what is joined to the chain as it was before the wait.
    static func lockChains(_ roots: [RunKey], in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(
            """
            select 1 as one
              from stored_actions.page_chains c
             where (c.stored_action_id, c.root_run_id) in (
                   select k.stored_action_id, k.run_id from \(RunKey.unnested()))
             order by c.stored_action_id, c.root_run_id
               for update of c
            """, roots.parameters)
    }

    /// Each page with its chain, in page order.
    ///
    /// - Parameter runIDs: of the pages, in the order of their chains' `roots`.
    static func pages(
        of roots: [RunKey], runIDs: [UUID], in transaction: borrowing PostgresTransaction
    ) throws -> [(page: StoredPage, chain: Chain)] {
        try transaction.query(
            """
            select \(ChainRows.columns),
                   r.run_id as page_run_id, r.page_number as page_page_number, r.outcome as page_outcome,
                   r.next_page as page_next_page, r.result_count as page_result_count,
                   r.page_number = 0 or coalesce(live.run_id = r.run_id, false) as page_is_current,
                   r.next_page = c.first_page
                   or exists (select from stored_actions.page_intents p
                               where p.stored_action_id = c.stored_action_id and p.root_run_id = c.root_run_id
                                 and p.cursor_hash = sha256(convert_to(r.next_page, 'UTF8')))
                      as page_is_cursor_used,
                   coalesce((select x.result_count
                               from stored_actions.runs x
                              where x.stored_action_id = r.stored_action_id and x.root_run_id = r.root_run_id
                                and x.page_number = r.page_number and r.page_number > 0 and x.run_id <> r.run_id
                                and x.outcome in ('success', 'error')
                              order by x.first_seen_at desc, x.run_id desc
                              limit 1), 0) as page_superseded_count,
                   exists (select from stored_actions.runs x
                            where x.stored_action_id = r.stored_action_id and x.root_run_id = r.root_run_id
                              and x.page_number = r.page_number and x.outcome in ('success', 'error')
                              and (x.first_seen_at, x.run_id) > (r.first_seen_at, r.run_id)) as page_is_superseded,
                   c.result_count as chain_result_count
              from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k(stored_action_id, root_run_id, run_id)
              join stored_actions.page_chains c using (stored_action_id, root_run_id)
              join stored_actions.runs r
                on r.stored_action_id = k.stored_action_id and r.run_id = k.run_id and r.root_run_id = k.root_run_id
              \(ChainRows.liveAttempt)
             order by c.stored_action_id, c.root_run_id, r.page_number
            """, roots.parameters + [.uuids(runIDs)]
        ).map { (page: try StoredPage($0), chain: try Chain($0)) }
    }

    /// - Parameter addedResults: rows of results that each chain has more than before.
    static func update(
        _ changes: [(chain: Chain, addedResults: Int)], exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        guard !changes.isEmpty else { return }
        _ = try transaction.query(
            """
            update stored_actions.page_chains c
               set pages = n.pages, result_count = c.result_count + n.added, next_page = n.next_page,
                   empty_pages = n.empty_pages, failed_attempts = n.failed_attempts, resume_at = n.resume_at,
                   end_reason = n.end_reason, end_detail = n.end_detail,
                   advanced_at = case when n.pages > c.pages then now() else c.advanced_at end,
                   export_id = $11, loaded_at = now()
              from unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::text[], $6::int[], $7::int[],
                          $8::timestamptz[], $9::text[], $10::text[])
                   as n(stored_action_id, root_run_id, pages, added, next_page, empty_pages, failed_attempts,
                        resume_at, end_reason, end_detail)
             where c.stored_action_id = n.stored_action_id and c.root_run_id = n.root_run_id
            """,
            changes.map(\.chain.root).parameters + [
                .ints(changes.map(\.chain.pages)), .ints(changes.map(\.addedResults)),
                .texts(changes.map { storable($0.chain.cursor) }),
                .ints(changes.map(\.chain.emptyPages)), .ints(changes.map(\.chain.failedAttempts)),
                .timestamps(changes.map(\.chain.resumeAt)), .texts(changes.map(\.chain.end?.reason.rawValue)),
                .texts(changes.map { storable($0.chain.end?.detail) }), .int(exportID),
            ])
    }
}

/// A page's run as it is stored now.
struct StoredPage {
    var key: RunKey
    var number: Int
    var isCurrent: Bool
    var outcome: Outcome
    var cursor: String?
    var isCursorUsed: Bool
    var resultCount: Int
    /// Rows of the newest other attempt at the same page.
    var supersededCount: Int
    /// A newer attempt's rows count instead.
    var isSuperseded: Bool
    /// Rows of the chain so far.
    var chainResultCount: Int

    fileprivate init(_ row: PostgresRow) throws {
        key = try RunKey(row, run: "page_run_id")
        number = try row.decode("page_page_number")
        isCurrent = try row.decode("page_is_current")
        outcome = try Outcome(named: row.decode("page_outcome"))
        cursor = try row.decode("page_next_page")
        isCursorUsed = try row.decode("page_is_cursor_used", as: Bool?.self) ?? false
        resultCount = try row.decode("page_result_count")
        supersededCount = try row.decode("page_superseded_count")
        isSuperseded = try row.decode("page_is_superseded")
        chainResultCount = try row.decode("chain_result_count")
    }
}
