import ExportCore
import Foundation
import Postgres

/// The table `runs`: one row for each run, with its outcome.
enum RunStore {
    /// What is stored of a run.
    struct Stored {
        var outcome = Outcome.queued
        var resultCount = 0
        /// No answer was ever stored, so no rows hang on it.
        var isUnanswered = true
    }

    /// Locks the runs' rows, in key order.
    ///
    /// - Returns: what is stored of each, in the order of `keys`.
    static func lock(_ keys: [RunKey], in transaction: borrowing PostgresTransaction) throws -> [Stored] {
        let rows = try transaction.query(
            """
            select r.stored_action_id, r.run_id, r.outcome, r.result_count, r.checked_at is null as is_unanswered
              from stored_actions.runs r
              join \(RunKey.unnested()) using (stored_action_id, run_id)
             order by r.stored_action_id, r.run_id
               for update of r
            """, keys.parameters)
        var stored: [RunKey: Stored] = [:]
        for row in rows {
            stored[try RunKey(row)] = Stored(
                outcome: try Outcome(named: row.decode("outcome")), resultCount: try row.decode("result_count"),
                isUnanswered: try row.decode("is_unanswered"))
        }
        return keys.map { stored[$0] ?? Stored() }
    }

    /// What the answers change in the runs' rows, with the requests that they took.
    ///
    /// - Throws: `PostgresError` of kind `rowsDropped` too, if a trigger kept a row as it was.
    static func update(_ runs: [FetchedRun], exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        guard !runs.isEmpty else { return }
        let areLarge = runs.reduce(0) { $0 + $1.extraBytes } > 1 << 20
        let extras = runs.map { areLarge ? nil : $0.unknownFields.object().map(StoredJSON.init(text:)) }
        let updated = try transaction.query(
            """
            update stored_actions.runs r
               set outcome = n.outcome, status = n.status, http_status = n.http_status, type = n.type,
                   result_count = n.result_count, error_count = n.error_count, next_page = n.next_page,
                   extra = n.extra, extra_raw = n.extra_raw, pruned_at = null, fetched_at = n.fetched_at,
                   checked_at = n.checked_at, seen_alive = r.seen_alive or n.seen_alive, evidence = n.evidence,
                   failure = n.failure, attempts = r.attempts + n.requests, export_id = $18, loaded_at = now()
              from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::int[],
                          $9::text[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[], $13::boolean[],
                          $14::text[], $15::text[], $16::bytea[], $17::int[])
                   as n(stored_action_id, run_id, outcome, status, http_status, type, result_count, error_count,
                        next_page, extra, fetched_at, checked_at, seen_alive, evidence, failure, extra_raw, requests)
             where r.stored_action_id = n.stored_action_id and r.run_id = n.run_id
            returning 1 as one
            """,
            runs.map(\.item.key).parameters + [
                .texts(runs.map(\.verdict.outcome.rawValue)),
                .texts(runs.map { storable($0.result?.status ?? $0.status) }),
                .ints(runs.map(\.httpStatus)),
                .texts(runs.map { storable($0.result?.type) }),
                .ints(runs.map(\.resultCount)),
                .ints(runs.map(\.errorCount)),
                .texts(runs.map { storable($0.result?.nextPage) }),
                .jsons(extras.map { $0?.json }),
                .timestamps(runs.map { $0.verdict.outcome.isStored ? $0.answeredAt : nil }),
                .timestamps(runs.map(\.answeredAt)),
                .bools(runs.map(\.verdict.seenAlive)),
                .texts(runs.map(\.verdict.evidence?.rawValue)),
                .texts(runs.map { storable($0.verdict.failure) }),
                .byteas(extras.map { $0?.raw }),
                .ints(runs.map(\.item.requests)),
                .int(exportID),
            ])
        let count = Set(runs.map(\.item.key)).count
        if updated.count < count {
            throw PostgresError(
                .rowsDropped, operation: "update stored_actions.runs",
                message: "a trigger dropped \(count - updated.count) of \(count) rows")
        }
        if areLarge { try updateExtras(of: runs.filter { $0.extraBytes > 0 }, in: transaction) }
    }

    /// By way of COPY, which sends a value from where it lies: a parameter is there three times at once.
    private static func updateExtras(
        of runs: [FetchedRun], in transaction: borrowing PostgresTransaction
    ) throws {
        try transaction.execute(
            script: """
                create temporary table extras (
                  stored_action_id uuid, run_id uuid, extra jsonb, extra_raw bytea
                ) on commit drop
                """)
        _ = try transaction.copy(
            into: "pg_temp.extras", columns: RunKey.columns + ["extra", "extra_raw"]
        ) { writer in
            for run in runs {
                let extra = run.unknownFields.object().map(StoredJSON.init(text:))
                try writer.beginRow()
                try writer.key(run.item.key)
                try writer.jsonb(extra?.json)
                try writer.bytea(extra?.raw)
            }
        }
        _ = try transaction.query(
            """
            update stored_actions.runs r
               set extra = n.extra, extra_raw = n.extra_raw
              from pg_temp.extras n
             where r.stored_action_id = n.stored_action_id and r.run_id = n.run_id
            """)
        try transaction.execute(script: "drop table pg_temp.extras")
    }

    /// Of runs whose answer changes nothing.
    static func countRequests(_ runs: [FetchedRun], in transaction: borrowing PostgresTransaction) throws {
        guard !runs.isEmpty else { return }
        _ = try transaction.query(
            """
            update stored_actions.runs r
               set attempts = r.attempts + n.requests
              from unnest($1::uuid[], $2::uuid[], $3::int[]) as n(stored_action_id, run_id, requests)
             where r.stored_action_id = n.stored_action_id and r.run_id = n.run_id
            """, runs.map(\.item.key).parameters + [.ints(runs.map(\.item.requests))])
    }
}

extension FetchedRun {
    fileprivate var extraBytes: Int { unknownFields.byteCount }
}
