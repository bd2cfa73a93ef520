import ExportCore
import Foundation
import Postgres

/// The table `export_items`: what became of the runs that one export asked for. Runs that were settled before, and those
/// that it did not come to, have no row.
enum ItemStore {
    /// What became of the batch's items. An item that was not finished gets a new state each time it is asked for.
    /// Pages behind a root are not items.
    ///
    /// - Parameter mayBeThere: whether any of them may have a row, whatever is known of it here.
    static func record(
        _ commits: [Commit], exportID: Int, mayBeThere: Bool, in transaction: borrowing PostgresTransaction
    ) throws {
        var items = commits.filter { $0.item.page == nil }
        let isNew = items.partition { !mayBeThere && !$0.item.isPoll }
        try replace(items[..<isNew], exportID: exportID, in: transaction)
        try copy(items[isNew...], exportID: exportID, in: transaction)
    }

    /// Items that this export asked for the first time.
    private static func copy(
        _ commits: ArraySlice<Commit>, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        guard !commits.isEmpty else { return }
        _ = try transaction.copy(
            into: "stored_actions.export_items",
            columns: ["export_id"] + RunKey.columns + ["outcome", "action", "result_count"]
        ) { writer in
            for commit in commits {
                try writer.beginRow()
                try writer.int8(Int64(exportID))
                try writer.key(commit.item.key)
                try writer.text(commit.outcome.rawValue)
                try writer.text(commit.action)
                try writer.int4(Int32(clamping: commit.results))
            }
        }
    }

    private static func replace(
        _ commits: ArraySlice<Commit>, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
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
                .texts(commits.map(\.outcome.rawValue)), .texts(commits.map(\.action)), .ints(commits.map(\.results)),
            ])
    }
}

extension Commit {
    fileprivate var action: String { rule.writes ? "fetched" : "kept" }
}
