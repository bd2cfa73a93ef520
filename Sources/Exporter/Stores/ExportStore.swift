import ExportCore
import Foundation
import Postgres

/// The table `exports`: one row for each call of `export`, with its progress.
enum ExportStore {
    // MARK: Opening

    /// The exports of the manifests, or those without one, that still count as running. The caller holds the lock
    /// of the manifests, so none of them is alive.
    ///
    /// - Parameter names: of the manifests; none: of the exports without one.
    static func killed(
        of names: [String], account: ZapierAccount, in transaction: borrowing PostgresTransaction
    ) throws -> [Int] {
        let which =
            names.isEmpty
            ? "not exists (select from stored_actions.export_manifests m where m.export_id = e.export_id)"
            : "e.export_id in (select m.export_id from stored_actions.export_manifests m where m.name = any($2))"
        return try transaction.query(
            """
            select e.export_id
              from stored_actions.exports e
             where e.outcome = 'running' and e.account = $1 and \(which)
            """, [.text(account.name)] + (names.isEmpty ? [] : [.texts(names)])
        ).map { try $0.decode("export_id") }
    }

    /// - Parameter exportIDs: as `killed(of:account:in:)` finds them.
    static func closeKilled(_ exportIDs: [Int], in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(
            """
            update stored_actions.exports e
               set outcome = 'interrupted', finished_at = now(),
                   reason = 'killed, or cut off from the database; the next export of its manifest found it gone'
             where e.outcome = 'running' and e.export_id = any($1)
            """, [.ints(exportIDs)])
    }

    /// When the refetch began that the manifests' newest exports have not brought to its end: what was fetched since
    /// then needs no further asking, or a refetch under a time limit would start over every time.
    static func startOfUnfinishedRefetch(
        of names: [String], account: ZapierAccount, in transaction: borrowing PostgresTransaction
    ) throws -> Date? {
        let rows = try transaction.query(
            """
            with of_manifests as (
              select e.export_id, e.started_at,
                     e.refetch and exists (select from stored_actions.export_items i
                                            where i.export_id = e.export_id and i.action = 'not_reached') as unfinished
                from stored_actions.exports e
               where e.account = $2
                 and e.export_id in (select export_id from stored_actions.export_manifests where name = any($1))
            )
            select min(started_at) as began
              from of_manifests
             where export_id > coalesce((select max(export_id) from of_manifests where not unfinished), 0)
            """, [.texts(names), .text(account.name)])
        return try rows.first?.decode("began")
    }

    /// - Returns: the export's number.
    static func insert(
        _ origin: ExportOrigin, refetch: Bool, in transaction: borrowing PostgresTransaction
    ) throws -> Int {
        let rows = try transaction.query(
            """
            insert into stored_actions.exports
                   (call_id, api_url, tool_version, host, process_id, time_limit_at, progress_at, refetch, account)
            values ($1, $2, $3, $4, $5, now() + $6 * interval '1 millisecond', now(), $7, $8) returning export_id
            """,
            [
                .uuid(origin.callID), .text(origin.apiURL), .text(origin.toolVersion), .text(origin.host),
                .int(origin.processID), .int(origin.timeLimit.map { Int($0 * 1000) }), .bool(refetch),
                .text(origin.account.name),
            ])
        guard let row = rows.first else { throw NoRow() }
        return try row.decode("export_id")
    }

    static func exists(_ origin: ExportOrigin, in transaction: borrowing PostgresTransaction) throws -> Bool {
        try !transaction.query("select from stored_actions.exports where call_id = $1", [.uuid(origin.callID)]).isEmpty
    }

    static func countItems(exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        _ = try transaction.query(
            """
            update stored_actions.exports
               set items = (select count(*) from stored_actions.export_items where export_id = $1)
             where export_id = $1
            """, [.int(exportID)])
    }

    // MARK: Batches

    /// Marks the batch as committed, in the batch itself.
    static func countBatch(
        _ number: Int, exportID: Int, requests: RequestCount, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            update stored_actions.exports
               set batches = $2, requests = $3, rate_limited = $4, progress_at = now(),
                   answered_at = greatest(answered_at, $5)
             where export_id = $1
            """,
            [
                .int(exportID), .int(number), .int(requests.total), .int(requests.rateLimited),
                .timestamp(requests.answeredAt),
            ])
    }

    /// Whether the batch is in. Waits for a server process that is still at the COMMIT whose answer was lost.
    static func hasBatch(
        _ number: Int, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws -> Bool {
        let rows = try transaction.query(
            "select batches >= $2 as committed from stored_actions.exports where export_id = $1 for update",
            [.int(exportID), .int(number)])
        return try rows.first?.decode("committed") ?? false
    }
}

/// `insert … returning` returned nothing.
private struct NoRow: Error, CustomStringConvertible {
    var description: String { "the database did not return the new export's number" }
}
