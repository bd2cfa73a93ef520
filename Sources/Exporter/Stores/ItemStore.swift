import ExportCore
import Foundation
import Postgres

/// The table `export_items`: what became of the runs that one export asked for. Runs that were settled before, and those
/// that it did not come to, have no row.
enum ItemStore {
    /// What became of the batch's items. An item that was not finished gets a new state each time it is asked for.
    /// Pages behind a root are not items.
    static func record(_ commits: [Commit], exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        let commits = commits.filter { $0.item.page == nil }
        guard !commits.isEmpty else { return }
        _ = try transaction.query(
            """
            insert into stored_actions.export_items as i
                   (export_id, stored_action_id, run_id, outcome, action, result_count)
            select $1, n.stored_action_id, n.run_id, n.outcome, n.action, n.result_count
              from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int[])
                   as n(stored_action_id, run_id, outcome, action, result_count)
                on conflict (export_id, stored_action_id, run_id) do update
               set outcome = excluded.outcome, action = excluded.action, result_count = excluded.result_count
            """,
            [.int(exportID)] + commits.map(\.item.key).parameters + [
                .texts(commits.map(\.outcome.rawValue)),
                .texts(commits.map { $0.rule.writes ? "fetched" : "kept" }),
                .ints(commits.map(\.results)),
            ])
    }
}
