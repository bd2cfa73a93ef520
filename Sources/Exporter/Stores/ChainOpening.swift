import ExportCore
import Foundation
import Postgres

/// The table `page_chains` when an export is opened: the chains of the roots of one step.
enum ChainOpening {
    /// A root with what its manifest says of its pages.
    struct Root: Sendable {
        var key: RunKey
        var pages: PageSettings
    }

    /// How far a chain is.
    struct State: Sendable {
        var root: RunKey
        /// nil while it goes on.
        var end: EndReason?
        var pages: Int
        var advancedAt: Date

        /// It goes on behind a stored root.
        var isOpen: Bool { end == nil && pages > 0 }
        /// Nothing but a manifest or an operator lets it go on.
        var hasEnded: Bool { end != nil && end != .submitUnknown }
    }

    /// A row for each root whose manifest asks for its pages. What earlier pages were asked for with stays; the rest
    /// is the newest manifest's to say, and may give a chain that had ended room to go on.
    static func insert(_ roots: [Root], exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        guard !roots.isEmpty else { return }
        let parameters: [PostgresParameter] =
            roots.map(\.key).parameters + [
                .texts(roots.map { storable($0.pages.firstPage) }), .ints(roots.map(\.pages.maxPages)),
                .texts(roots.map { storable($0.pages.actionType) }),
                .byteas(roots.map { InputsHash.of($0.pages.inputs ?? PageSettings.noInputs)[...] }),
            ]
        // Locked first, by a statement of its own: the one below would judge by what was there before it had to wait.
        _ = try transaction.query(
            """
            select 1 as one
              from stored_actions.page_chains c
              join unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::bytea[])
                   as m(stored_action_id, run_id, first_page, max_pages, action_type, inputs_hash)
                on m.stored_action_id = c.stored_action_id and m.run_id = c.root_run_id
             where (c.max_pages, c.action_type, c.first_page, c.inputs_hash)
                   is distinct from (m.max_pages, m.action_type, m.first_page, m.inputs_hash)
             order by c.stored_action_id, c.root_run_id
               for update of c
            """, parameters)
        _ = try transaction.query(SQL.insertChains, parameters + [.int(exportID)])
    }

    /// Chains whose root was settled by an export that did not ask for its pages begin behind that root.
    ///
    /// - Parameter roots: settled ones.
    static func takeUp(_ roots: [RunKey], exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        guard !roots.isEmpty else { return }
        _ = try transaction.query(
            """
            update stored_actions.page_chains c
               set pages = n.pages, result_count = r.result_count, next_page = n.next_page,
                   empty_pages = case when n.pages = 1 and r.result_count = 0 then 1 else 0 end,
                   end_reason = n.end_reason,
                   end_detail = case when n.pages = 0 then 'page 0 is ' || r.outcome end,
                   advanced_at = coalesce(r.fetched_at, now()), export_id = $3, loaded_at = now()
              from \(RunKey.unnested())
              join stored_actions.runs r using (stored_action_id, run_id)
             cross join lateral (
                   select case when r.outcome = 'success' then 1 else 0 end as pages,
                          case when r.outcome = 'success' then r.next_page end as next_page,
                          case when r.outcome = 'success' and r.next_page is null then 'last_page'
                               when r.outcome in ('error', 'forbidden', 'rejected') then 'page_error'
                               when r.outcome in ('expired', 'not_found') then 'page_expired' end as end_reason) n
             where c.stored_action_id = r.stored_action_id and c.root_run_id = r.run_id and c.pages = 0
               and (n.pages > 0 or c.end_reason is distinct from n.end_reason)
            """, roots.parameters + [.int(exportID)])
    }

    /// Lets chains that ended in a page that failed go on, with a further attempt.
    static func reopenFailed(
        _ roots: [RunKey], exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        guard !roots.isEmpty else { return }
        _ = try transaction.query(
            """
            update stored_actions.page_chains c
               set end_reason = null, end_detail = null, export_id = $3, loaded_at = now()
              from \(RunKey.unnested())
             where c.stored_action_id = k.stored_action_id and c.root_run_id = k.run_id
               and c.pages > 0 and (c.failed_attempts > 0 and c.end_reason in ('page_error', 'page_expired')
                                    or c.end_reason = 'refused')
            """, roots.parameters + [.int(exportID)])
    }

    static func states(
        of roots: [RunKey], in transaction: borrowing PostgresTransaction
    ) throws -> [RunKey: State] {
        guard !roots.isEmpty else { return [:] }
        var states: [RunKey: State] = [:]
        for row in try transaction.query(
            """
            select c.stored_action_id, c.root_run_id, c.end_reason, c.pages, c.advanced_at
              from stored_actions.page_chains c
              join \(RunKey.unnested()) on k.stored_action_id = c.stored_action_id and k.run_id = c.root_run_id
            """, roots.parameters)
        {
            let state = try State(row)
            states[state.root] = state
        }
        return states
    }

    /// The next stored pages of the roots' chains that `--refetch` fetches again, by GET alone, in key order.
    static func storedPages(
        of roots: [RunKey], fetchedBefore time: Date, after last: RunKey?, limit: Int,
        in transaction: borrowing PostgresTransaction
    ) throws -> [RunItem] {
        guard !roots.isEmpty else { return [] }
        return try transaction.query(
            """
            select r.stored_action_id, r.run_id, r.root_run_id, r.expires_at, r.first_seen_at, r.seen_alive
              from \(RunKey.unnested())
              join stored_actions.runs r on r.stored_action_id = k.stored_action_id and r.root_run_id = k.run_id
             where r.page_number > 0 and r.outcome in ('success', 'error') and r.fetched_at < $3
               and ($4::uuid is null or (r.stored_action_id, r.run_id) > ($4, $5::uuid))
             order by r.stored_action_id, r.run_id
             limit $6
            """, roots.parameters + [.timestamp(time)] + last.parameters + [.int(limit)]
        ).map { row in
            var item = RunItem(
                key: try RunKey(row), expiresAt: try row.decode("expires_at"), seenAlive: try row.decode("seen_alive"))
            item.page = PageOfChain(
                root: try RunKey(row, run: "root_run_id"), submittedAt: try row.decode("first_seen_at"), isRefetch: true
            )
            return item
        }
    }
}

extension ChainOpening.State {
    /// Of the columns that `states(of:in:)` reads.
    init(_ row: PostgresRow) throws {
        root = try RunKey(row, run: "root_run_id")
        end = try row.decode("end_reason", as: String?.self).map(EndReason.init(named:))
        pages = try row.decode("pages")
        advancedAt = try row.decode("advanced_at")
    }
}
