import ExportCore
import Foundation
import Postgres

/// What earlier exports of an account left: runs that are not settled, the soonest expiry first, and chains that go on
/// or are in doubt behind settled roots.
enum UnfinishedStore {
    /// A run behind which the next ones are read.
    struct Cursor: Sendable {
        var expiresAt: Date
        var key: RunKey

        init(_ item: RunItem) {
            expiresAt = item.expiresAt
            key = item.key
        }
    }

    /// SQL: the runs that are not settled at a time, for a FROM clause. Two parts, each of which an index holds: whatever
    /// becomes of a run of the first, it is asked for again; one of the second until its result would have expired.
    ///
    /// - Parameter time: SQL.
    static func unsettled(at time: String) -> String {
        "(\(parts(at: time).map { "select * from stored_actions.runs r where \($0)" }.joined(separator: "\nunion all\n")))"
    }

    /// The same, of those for which a condition holds: the soonest expiry first in each part, so that no more is read than is
    /// wanted.
    ///
    /// - Parameters:
    ///   - condition: SQL over `r`.
    ///   - limit: SQL.
    static func soonest(_ limit: String, at time: String, where condition: String) -> String {
        let parts = parts(at: time).map { part in
            """
            (select * from stored_actions.runs r
              where \(part) and \(condition)
              order by \(order) limit \(limit))
            """
        }
        return "(\(parts.joined(separator: "\nunion all\n")))"
    }

    /// SQL over `r`.
    static let order = "r.expires_at, r.stored_action_id, r.run_id"

    private static func parts(at time: String) -> [String] {
        [
            "r.outcome in ('queued', 'waiting', 'pending', 'failed')",
            """
            r.outcome in ('expired', 'not_found', 'forbidden', 'rejected')
                and r.expires_at > \(time) and r.evidence is distinct from 'past_retention'
            """,
        ]
    }

    struct Run: Sendable {
        var item: RunItem
        var checkedAt: Date?
        var chain: ChainOpening.State?
    }

    static func runs(
        of account: ZapierAccount, after cursor: Cursor?, limit: Int, at now: Date,
        in transaction: borrowing PostgresTransaction
    ) throws -> [Run] {
        let isNext = """
            r.page_number = 0 and \(ZapierAccount.owns("r", "$1"))
                and ($3::timestamptz is null
                     or r.expires_at >= $3 and (r.expires_at, r.stored_action_id, r.run_id) > ($3, $4::uuid, $5::uuid))
            """
        return try transaction.query(
            """
            select r.stored_action_id, r.run_id, r.outcome, r.executed_at, r.expires_at, r.seen_alive, r.checked_at,
                   r.failure is not distinct from $6 as is_suspect, c.root_run_id is not null as follows_pages,
                   c.root_run_id, c.end_reason, c.pages, c.advanced_at
              from \(soonest("$7", at: "$2", where: isNext)) r
              left join stored_actions.page_chains c
                on c.stored_action_id = r.stored_action_id and c.root_run_id = r.run_id
             order by \(order)
             limit $7
            """,
            [.text(account.name), .timestamp(now), .timestamp(cursor?.expiresAt)] + (cursor?.key).parameters
                + [.text(Suspects.failure), .int(limit)]
        ).map { row in
            var item = RunItem(
                key: try RunKey(row), executedAt: try row.decode("executed_at"),
                expiresAt: try row.decode("expires_at"), seenAlive: try row.decode("seen_alive"))
            item.wasForbidden = try Outcome(named: row.decode("outcome")) == .forbidden
            item.isSuspect = try row.decode("is_suspect")
            item.followsPages = try row.decode("follows_pages")
            return Run(
                item: item, checkedAt: try row.decode("checked_at"),
                chain: item.followsPages ? try ChainOpening.State(row) : nil)
        }
    }

    /// The settled roots of chains without an end, or with one in doubt, in key order.
    static func chainRoots(
        of account: ZapierAccount, after last: RunKey?, limit: Int, at now: Date,
        in transaction: borrowing PostgresTransaction
    ) throws -> [(key: RunKey, outcome: Outcome)] {
        try transaction.query(
            """
            select r.stored_action_id, r.run_id, r.outcome
              from stored_actions.page_chains c
              join stored_actions.runs r on r.stored_action_id = c.stored_action_id and r.run_id = c.root_run_id
             where (c.end_reason is null or c.end_reason = 'submit_unknown')
               and stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, $2)
               and \(ZapierAccount.owns("c", "$1"))
               and ($3::uuid is null or (c.stored_action_id, c.root_run_id) > ($3, $4::uuid))
             order by c.stored_action_id, c.root_run_id
             limit $5
            """, [.text(account.name), .timestamp(now)] + last.parameters + [.int(limit)]
        ).map { (try RunKey($0), try Outcome(named: $0.decode("outcome"))) }
    }

    /// Lets the account's chains that ended in a page that failed go on.
    static func reopenFailedChains(
        of account: ZapierAccount, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            update stored_actions.page_chains c
               set end_reason = null, end_detail = null, export_id = $2, loaded_at = now()
             where c.pages > 0 and (c.failed_attempts > 0 and c.end_reason in ('page_error', 'page_expired')
                                    or c.end_reason = 'refused')
               and \(ZapierAccount.owns("c", "$1"))
            """, [.text(account.name), .int(exportID)])
    }
}
