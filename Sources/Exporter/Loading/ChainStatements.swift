import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// The part of a batch that belongs to chains: a page and the cursor behind it are committed together.
extension PostgresTransaction {
    /// Brings the chains of the batch's roots and pages to where the runs' rows, as they are now, take them.
    ///
    /// - Returns: the chain of each run that is of one.
    borrowing func advanceChains(_ runs: [AdvancingRun], exportID: Int) throws -> [RunKey: Chain] {
        let runs = runs.filter { $0.run.item.chainRoot != nil }
        guard !runs.isEmpty else { return [:] }
        try lockChains(of: runs)
        let byKey = Dictionary(runs.map { ($0.run.item.key, $0) }, uniquingKeysWith: { first, _ in first })
        var states: [RunKey: ChainState] = [:]
        for row in try pagesOfChains(runs) {
            let chain = try Chain(row)
            let key = RunKey(storedActionID: chain.root.storedActionID, runID: try row.decode("page_run_id"))
            guard let run = byKey[key] else { continue }
            states[chain.root, default: ChainState(chain: chain, before: chain)].add(try StoredPage(row), of: run)
        }
        try update(states.values.filter(\.hasChanged), exportID: exportID)
        var chains: [RunKey: Chain] = [:]
        for run in runs {
            if let root = run.run.item.chainRoot { chains[run.run.item.key] = states[root]?.chain }
        }
        return chains
    }

    /// In key order. What depends on the lock is read by a statement of its own: one that had to wait would show what
    /// is joined to the chain as it was before the wait.
    private borrowing func lockChains(of runs: [AdvancingRun]) throws {
        _ = try query(
            """
            select 1 as one
              from stored_actions.page_chains c
             where (c.stored_action_id, c.root_run_id) in (select k.a, k.r from unnest($1::uuid[], $2::uuid[]) as k(a, r))
             order by c.stored_action_id, c.root_run_id
               for update of c
            """, runs.rootParameters)
    }

    /// Each run with its chain, in page order.
    private borrowing func pagesOfChains(_ runs: [AdvancingRun]) throws -> PostgresRows {
        try query(
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
            """, runs.rootParameters + [.uuids(runs.map(\.run.item.key.runID))])
    }

    private borrowing func update(_ states: [ChainState], exportID: Int) throws {
        guard !states.isEmpty else { return }
        let chains = states.map(\.chain)
        _ = try query(
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
            [
                .uuids(chains.map(\.root.storedActionID)), .uuids(chains.map(\.root.runID)),
                .ints(chains.map(\.pages)), .ints(states.map(\.added)), .texts(chains.map { storable($0.cursor) }),
                .ints(chains.map(\.emptyPages)), .ints(chains.map(\.failedAttempts)),
                .timestamps(chains.map(\.resumeAt)), .texts(chains.map(\.end?.reason.rawValue)),
                .texts(chains.map { storable($0.end?.detail) }), .int(exportID),
            ])
    }
}

/// A run of a batch, with what the tables held of it before.
struct AdvancingRun {
    var run: FetchedRun
    var resultsBefore: Int
}

extension [AdvancingRun] {
    fileprivate var rootParameters: [PostgresParameter] {
        [.uuids(map(\.run.item.key.storedActionID)), .uuids(map { $0.run.item.chainRoot?.runID })]
    }
}

/// A page's run as it is stored now.
private struct StoredPage {
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

    init(_ row: PostgresRow) throws {
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

/// A chain on its way through a batch.
private struct ChainState {
    var chain: Chain
    let before: Chain
    /// Rows that the chain has more than before.
    var added = 0

    var hasChanged: Bool { chain != before || added != 0 }

    mutating func add(_ page: StoredPage, of run: AdvancingRun) {
        let isNew = chain.store(
            PageAnswer(
                number: page.number, isCurrent: page.isCurrent, outcome: page.outcome,
                // Such a fault shows in the answer alone.
                cursor: page.cursor, cursorFault: run.run.result?.cursorFault, isCursorUsed: page.isCursorUsed,
                resultCount: page.resultCount, throttledFor: run.run.result?.throttledFor, at: run.run.answeredAt))
        if isNew, page.number == 0 {
            // The chain has no rows but the root's, and those of an earlier answer to it are gone.
            added = (page.outcome.isStored ? page.resultCount : 0) - page.chainResultCount
        } else if isNew {
            added += page.outcome.isStored ? page.resultCount - page.supersededCount : 0
        } else if !page.isSuperseded {
            added += page.resultCount - run.resultsBefore
        }
    }
}

extension RunResult {
    /// How long the partner wants to be left alone, if it throttled the run: a minute if it does not say.
    fileprivate var throttledFor: Duration? {
        let delays = errors.prefix(PartnerErrors.mostRows).filter {
            ["throttled", "system_throttled"].contains($0.code)
        }
        .map { min(max($0.delay ?? 60, 1), 7 * 86_400) }
        return delays.max().map { .seconds($0) }
    }
}
