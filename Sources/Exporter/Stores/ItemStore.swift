import ExportCore
import Foundation
import Postgres

/// The table `export_items`: what one export asks for.
enum ItemStore {
    /// The runs of the manifests, from `ManifestStore`'s temporary table.
    ///
    /// - Parameter since: with `refetch`, what was fetched then or later is not asked for again.
    static func insertFromManifests(
        exportID: Int, refetch: Bool, since: Date?, at now: Date, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            insert into stored_actions.export_items
                   (export_id, stored_action_id, run_id, expires_at, follow_pages, manifest_position, outcome, action)
            select $1, r.stored_action_id, r.run_id, r.expires_at, m.follow_pages, m.manifest_position,
                   case when s.settled then r.outcome else 'queued' end,
                   case when s.settled then 'already_settled' else 'not_reached' end
              from pg_temp.manifest_runs m
              join stored_actions.runs r using (stored_action_id, run_id)
             cross join lateral (
                   select (not $2 or coalesce(r.fetched_at >= $4, false))
                          and stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, $3) as settled) s
            """, [.int(exportID), .bool(refetch), .timestamp(now), .timestamp(since)])
    }

    /// The runs of the account that no export has settled, and the roots of its chains that go on or are in doubt.
    ///
    /// - Parameter retryFailedPages: also the roots of chains that ended in a page that failed.
    static func insertUnfinished(
        of account: ZapierAccount, exportID: Int, retryFailedPages: Bool, at now: Date,
        in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            insert into stored_actions.export_items
                   (export_id, stored_action_id, run_id, expires_at, follow_pages, outcome, action)
            select $1, r.stored_action_id, r.run_id, r.expires_at, c.root_run_id is not null,
                   case when s.settled then r.outcome else 'queued' end,
                   case when s.settled then 'already_settled' else 'not_reached' end
              from stored_actions.runs r
              left join stored_actions.page_chains c
                on c.stored_action_id = r.stored_action_id and c.root_run_id = r.run_id
             cross join lateral (
                   select stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, $2) as settled) s
             where r.page_number = 0 and \(ZapierAccount.owns("r", "$4"))
               and (not s.settled
                    or c.root_run_id is not null and (c.end_reason is null or c.end_reason = 'submit_unknown')
                    or $3 and c.pages > 0 and c.end_reason in ('page_error', 'page_expired', 'refused'))
            """,
            [.int(exportID), .timestamp(now), .bool(retryFailedPages), .text(account.name)])
    }

    /// What became of the batch's items. Pages are not items.
    static func update(_ commits: [Commit], exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        let commits = commits.filter { $0.item.page == nil }
        guard !commits.isEmpty else { return }
        _ = try transaction.query(
            """
            update stored_actions.export_items i
               set outcome = n.outcome, action = n.action, poll_at = n.poll_at, polls = n.polls,
                   result_count = n.result_count
              from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::int[], $8::int[])
                   as n(stored_action_id, run_id, outcome, action, poll_at, polls, result_count)
             where i.export_id = $1 and i.stored_action_id = n.stored_action_id and i.run_id = n.run_id
            """,
            [.int(exportID)] + commits.map(\.item.key).parameters + [
                .texts(commits.map(\.outcome.rawValue)),
                .texts(commits.map { $0.rule == .alreadySettled ? "already_settled" : "fetched" }),
                .timestamps(commits.map(\.pollAt)), .ints(commits.map(\.item.polls)),
                .ints(commits.map(\.results)),
            ])
    }
}
