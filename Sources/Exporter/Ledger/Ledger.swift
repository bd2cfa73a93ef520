import ExportCore
import Foundation
import Postgres

/// The database's memory of an export: its row, its items, and what is left of its work.
struct Ledger: Sendable {
    let session: PostgresSession
    let exportID: Int
    /// With `--refetch`: what was fetched since then is not asked for again.
    let refetchSince: Date?

    // MARK: The work list

    /// Of an item `i` and its run `r`, as `RunItem` reads them.
    static let itemColumns = """
        i.stored_action_id, i.run_id, i.expires_at, i.polls, i.follow_pages, i.manifest_position, r.executed_at,
        r.seen_alive, r.outcome = 'forbidden' as was_forbidden, r.outcome in ('success', 'error') as is_stored
        """

    /// The next runs not asked for yet whose result has not expired, the earliest expiry first.
    func firstFetches(after cursor: WorkCursor?, limit: Int, at now: Date) async throws -> [RunItem] {
        try await notReached(after: cursor, expiringAfter: now, limit: limit)
    }

    /// The next runs not asked for yet, whatever their expiry.
    func lateFetches(after cursor: WorkCursor?, limit: Int) async throws -> [RunItem] {
        try await notReached(after: cursor, expiringAfter: .distantPast, limit: limit)
    }

    private func notReached(
        after cursor: WorkCursor?, expiringAfter floor: Date, limit: Int
    ) async throws -> [RunItem] {
        let rows = try await session.query(
            """
            select \(Self.itemColumns)
              from stored_actions.export_items i
              join stored_actions.runs r using (stored_action_id, run_id)
             where i.export_id = $1 and i.action = 'not_reached' and i.expires_at > $2
               and r.failure is distinct from $7
               and ($3::timestamptz is null
                    or (i.expires_at, i.stored_action_id, i.run_id) > ($3, $4::uuid, $5::uuid))
             order by i.expires_at, i.stored_action_id, i.run_id
             limit $6
            """,
            [
                .int(exportID), .timestamp(max(floor, Date(timeIntervalSince1970: 0))), .timestamp(cursor?.expiresAt),
            ] + (cursor?.key).parameters + [.int(limit), .text(Suspects.failure)])
        return try rows.map(RunItem.init)
    }

    /// The runs to ask again for soonest, with the time that each is due.
    func polls(limit: Int) async throws -> [PollDue] {
        let rows = try await session.query(
            """
            select \(Self.itemColumns), i.poll_at
              from stored_actions.export_items i
              join stored_actions.runs r using (stored_action_id, run_id)
             where i.export_id = $1 and i.poll_at is not null
             order by i.poll_at
             limit $2
            """, [.int(exportID), .int(limit)])
        return try rows.map { (item: try RunItem($0), at: try $0.decode("poll_at")) }
    }

    // MARK: The end

    func balance() async throws -> ExportBalance {
        let rows = try await session.query(
            """
            select i.outcome, count(*) as items,
                   count(*) filter (where i.action = 'already_settled') as already_settled,
                   sum(i.result_count)::bigint as results
              from stored_actions.export_items i
             where i.export_id = $1
             group by i.outcome
            """, [.int(exportID)])
        var balance = ExportBalance()
        for row in rows {
            let outcome = try Outcome(named: row.decode("outcome"))
            let items: Int = try row.decode("items")
            balance.outcomes[outcome, default: 0] += items
            balance.items += items
            balance.alreadySettled += try row.decode("already_settled", as: Int.self)
            balance.results += try row.decode("results", as: Int.self)
        }
        balance.chains = try await chainCounts()
        return balance
    }

    /// Unsettled runs of the account that are not this export's, pages that chains go on with included, and the soonest
    /// expiry among those that have not expired.
    func unfinishedElsewhere(at now: Date) async throws -> (runs: Int, soonestExpiry: Date?) {
        let rows = try await session.query(
            """
            select count(*) as runs, min(r.expires_at) filter (where r.expires_at > $2) as soonest_expiry
              from stored_actions.runs r
             where r.page_number = 0
               and \(ZapierAccount.owns("r", "(select e.account from stored_actions.exports e where e.export_id = $1)"))
               and (r.outcome not in ('success', 'error')
                    and not stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, $2)
                    or r.outcome = 'success'
                    and exists (select from stored_actions.page_chains c
                                 where c.stored_action_id = r.stored_action_id and c.root_run_id = r.run_id
                                   and c.end_reason is null))
               and not exists (select from stored_actions.export_items i
                                where i.export_id = $1 and i.stored_action_id = r.stored_action_id
                                  and i.run_id = r.run_id)
            """, [.int(exportID), .timestamp(now)])
        guard let row = rows.first else { return (0, nil) }
        return (try row.decode("runs"), try row.decode("soonest_expiry"))
    }

    /// Stored actions of which the account has had results, those first that the export asks for.
    func actionsWithResults(limit: Int) async throws -> [UUID] {
        try await session.query(
            """
            select a.stored_action_id
              from stored_actions.exports e
              join stored_actions.actions a on a.account = e.account
             cross join lateral (
                   select 1 as one from stored_actions.runs r
                    where r.stored_action_id = a.stored_action_id and r.outcome in ('success', 'error')
                    limit 1) result
             where e.export_id = $1
             order by exists (select from stored_actions.export_items i
                               where i.export_id = $1 and i.stored_action_id = a.stored_action_id
                                 and i.action = 'not_reached') desc,
                      a.stored_action_id
             limit $2
            """, [.int(exportID), .int(limit)]
        ).map { try $0.decode("stored_action_id") }
    }

    /// Closes the export's row.
    ///
    /// - Parameters:
    ///   - reason: for people; nil where the outcome says it all.
    ///   - balance: nil if there was no time to draw one up.
    func finish(
        _ outcome: String, exitStatus: Int32, reason: String?, balance: ExportBalance?, requests: RequestCount
    ) async throws {
        let outcomes = balance.map { balance in
            let counts = Outcome.allCases.map { "\"\($0.rawValue)\": \(balance.outcomes[$0] ?? 0)" }
            return "{" + counts.joined(separator: ", ") + "}"
        }
        _ = try await session.query(
            """
            update stored_actions.exports
               set finished_at = now(), outcome = $2, exit_status = $3, outcomes = $4, requests = $5,
                   rate_limited = $6, reason = $7, answered_at = greatest(answered_at, $8)
             where export_id = $1
            """,
            [
                .int(exportID), .text(outcome), .int(Int(exitStatus)),
                .json(outcomes), .int(requests.total), .int(requests.rateLimited),
                .text(storable(reason.map { String($0.prefix(1000)) })), .timestamp(requests.answeredAt),
            ])
    }
}

extension RunItem {
    init(_ row: PostgresRow) throws {
        self.init(
            key: try RunKey(row), executedAt: try row.decode("executed_at"), expiresAt: try row.decode("expires_at"),
            seenAlive: try row.decode("seen_alive"), polls: try row.decode("polls"))
        followsPages = try row.decode("follow_pages")
        isStored = try row.decode("is_stored")
        wasForbidden = try row.decode("was_forbidden")
        manifestPosition = try row.decode("manifest_position")
    }
}
