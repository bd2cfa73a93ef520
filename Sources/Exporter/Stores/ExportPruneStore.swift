import ExportCore
import Foundation
import Postgres

/// Old exports: their rows in `exports`, `export_manifests` and `export_items`.
enum ExportPruneStore {
    /// SQL over `e`, an export, `$1`, an account, and `$2`, a time: it ended before then, and nothing needs it any more.
    /// The newest export of a manifest says when that was last exported; an intent of a chain that has not come to its
    /// end records which export requested the page.
    private static let isToGo = """
        e.account = $1 and e.outcome <> 'running' and e.finished_at < $2
        and e.export_id < (select max(last.export_id) from stored_actions.exports last where last.account = $1)
        and not exists (
              select from stored_actions.export_manifests m
               where m.export_id = e.export_id
                 and not exists (select from stored_actions.export_manifests later
                                   join stored_actions.exports x using (export_id)
                                  where later.name = m.name and later.export_id > m.export_id and x.account = $1))
        and not exists (
              select from stored_actions.page_intents p
                join stored_actions.page_chains c using (stored_action_id, root_run_id)
               where p.export_id = e.export_id and (c.end_reason is null or c.end_reason = 'submit_unknown'))
        """

    /// The next exports to be deleted, the oldest first.
    static func candidates(
        of account: ZapierAccount, endedBefore time: Date, after last: Int?, limit: Int, on session: PostgresSession
    ) async throws -> [Int] {
        try await session.query(
            """
            select e.export_id
              from stored_actions.exports e
             where \(isToGo) and ($3::bigint is null or e.export_id > $3)
             order by e.export_id
             limit $4
            """, [.text(account.name), .timestamp(time), .int(last), .int(limit)]
        ).map { try $0.decode("export_id") }
    }

    static func countItems(of exportID: Int, on session: PostgresSession) async throws -> Int {
        try await session.query(
            "select count(*) as items from stored_actions.export_items where export_id = $1", [.int(exportID)]
        ).first?.decode("items") ?? 0
    }

    /// Deletes the next rows of the export, in key order: to look for any rows would pass over those deleted before.
    ///
    /// - Returns: how many there were, fewer than the limit at their end, and the last one's key.
    static func deleteItems(
        of exportID: Int, after last: RunKey?, limit: Int, in transaction: borrowing PostgresTransaction
    ) throws -> (count: Int, last: RunKey?) {
        let keys = try transaction.query(
            """
            select i.stored_action_id, i.run_id
              from stored_actions.export_items i
             where i.export_id = $1
               and ($2::uuid is null or (i.stored_action_id, i.run_id) > ($2, $3::uuid))
             order by i.stored_action_id, i.run_id
             limit $4
            """, [.int(exportID)] + last.parameters + [.int(limit)]
        ).map { try RunKey($0) }
        guard let first = keys.first, let end = keys.last else { return (0, nil) }
        _ = try transaction.query(
            """
            delete from stored_actions.export_items i
             where i.export_id = $1
               and (i.stored_action_id, i.run_id) between ($2::uuid, $3::uuid) and ($4::uuid, $5::uuid)
            """, [.int(exportID)] + first.parameters + end.parameters)
        return (keys.count, end)
    }

    static func delete(_ exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        for table in ["export_manifests", "exports"] {
            _ = try transaction.query("delete from stored_actions.\(table) where export_id = $1", [.int(exportID)])
        }
    }
}
