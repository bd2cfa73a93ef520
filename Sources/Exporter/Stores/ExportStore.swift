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
               set outcome = 'interrupted', finished_at = now(), in_hand_actions = null, in_hand_runs = null,
                   reason = 'killed, or cut off from the database; the next export of its manifest found it gone'
             where e.outcome = 'running' and e.export_id = any($1)
            """, [.ints(exportIDs)])
    }

    /// When the refetch began that the manifests' newest export has not brought to its end: what was fetched since then
    /// needs no further asking, or a refetch under a time limit would start over every time.
    static func startOfUnfinishedRefetch(
        of names: [String], account: ZapierAccount, in transaction: borrowing PostgresTransaction
    ) throws -> Date? {
        let rows = try transaction.query(
            """
            select e.refetch_since
              from stored_actions.exports e
             where e.account = $2
               and e.export_id in (select export_id from stored_actions.export_manifests where name = any($1))
             order by e.export_id desc
             limit 1
            """, [.texts(names), .text(account.name)])
        return try rows.first?.decode("refetch_since")
    }

    /// - Parameters:
    ///   - items: runs that its manifests name.
    ///   - refetchSince: with `--refetch`, when that began.
    /// - Returns: the export's number.
    static func insert(
        _ origin: ExportOrigin, items: Int, refetchSince: Date?, in transaction: borrowing PostgresTransaction
    ) throws -> Int {
        let rows = try transaction.query(
            """
            insert into stored_actions.exports
                   (call_id, api_url, tool_version, host, process_id, time_limit_at, progress_at, account, items,
                    refetch, refetch_since)
            values ($1, $2, $3, $4, $5, now() + $6 * interval '1 millisecond', now(), $7, $8, $9::timestamptz is not null,
                    $9)
            returning export_id
            """,
            [
                .uuid(origin.callID), .text(origin.apiURL), .text(origin.toolVersion), .text(origin.host),
                .int(origin.processID), .int(origin.timeLimit.map { Int($0 * 1000) }), .text(origin.account.name),
                .int(items), .timestamp(refetchSince),
            ])
        guard let row = rows.first else { throw NoRow() }
        return try row.decode("export_id")
    }

    static func exists(_ origin: ExportOrigin, in transaction: borrowing PostgresTransaction) throws -> Bool {
        try !transaction.query("select from stored_actions.exports where call_id = $1", [.uuid(origin.callID)]).isEmpty
    }

    // MARK: Batches

    /// Marks the batch as committed, in the batch itself. Batches of several lanes may come in another order than the
    /// counts of requests that they bring.
    ///
    /// - Parameters:
    ///   - number: of the batch in its lane.
    ///   - lane: from 0.
    static func countBatch(
        _ number: Int, lane: Int, exportID: Int, requests: RequestCount, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            update stored_actions.exports
               set batches = batches + 1, lanes[$6::int] = $2, requests = greatest(requests, $3),
                   rate_limited = greatest(rate_limited, $4), progress_at = now(),
                   answered_at = greatest(answered_at, $5)
             where export_id = $1
            """,
            [
                .int(exportID), .int(number), .int(requests.total), .int(requests.rateLimited),
                .timestamp(requests.answeredAt), .int(lane + 1),
            ])
    }

    /// Whether the batch is in. Waits for a server process that is still at the COMMIT whose answer was lost.
    static func hasBatch(
        _ number: Int, lane: Int, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws -> Bool {
        let rows = try transaction.query(
            "select lanes[$3::int] >= $2 as committed from stored_actions.exports where export_id = $1 for update",
            [.int(exportID), .int(number), .int(lane + 1)])
        return try rows.first?.decode("committed") ?? false
    }
}

/// `insert … returning` returned nothing.
private struct NoRow: Error, CustomStringConvertible {
    var description: String { "the database did not return the new export's number" }
}
