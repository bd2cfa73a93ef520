import ActionsAPI
import Foundation
import JSONText
import Postgres

/// The statements of one batch, in the order in which `Loader` runs them.
extension PostgresTransaction {
    /// What is stored of a run.
    struct StoredRun {
        var outcome = Outcome.queued
        var resultCount = 0
    }

    /// Locks the runs' rows, in key order, and returns what is stored of each.
    borrowing func lockRuns(_ batch: [LoadedRun]) throws -> [StoredRun] {
        let rows = try query(
            """
            select r.stored_action_id, r.run_id, r.outcome, r.result_count
              from stored_actions.runs r
              join unnest($1::uuid[], $2::uuid[]) as k(stored_action_id, run_id) using (stored_action_id, run_id)
             order by r.stored_action_id, r.run_id
               for update of r
            """, batch.keyParameters)
        var stored: [RunKey: StoredRun] = [:]
        for row in rows {
            let key = try RunKey(
                storedActionID: row.decode("stored_action_id"), runID: row.decode("run_id"))
            stored[key] = StoredRun(
                outcome: try Outcome(named: row.decode("outcome")), resultCount: try row.decode("result_count"))
        }
        return batch.map { stored[$0.item.key] ?? StoredRun() }
    }

    /// Tables whose rows belong to a run.
    enum RunTable: String {
        case results, errors
        case apiErrors = "api_errors"
    }

    borrowing func delete(from tables: RunTable..., of runs: [LoadedRun]) throws {
        guard !runs.isEmpty else { return }
        for table in tables {
            _ = try query(
                """
                delete from stored_actions.\(table.rawValue) t
                 using unnest($1::uuid[], $2::uuid[]) as k(stored_action_id, run_id)
                 where t.stored_action_id = k.stored_action_id and t.run_id = k.run_id
                """, runs.keyParameters)
        }
    }

    borrowing func copyResults(_ runs: [LoadedRun], exportID: Int) throws {
        let runs = runs.filter { ($0.result?.resultCount ?? 0) > 0 }
        guard !runs.isEmpty else { return }
        _ = try copy(
            into: "stored_actions.results",
            columns: ["run_id", "item_index", "stored_action_id", "payload", "export_id"]
        ) { writer in
            for run in runs {
                for (index, value) in (run.result?.results ?? JSONElements()).enumerated() {
                    try writer.beginRow()
                    try writer.uuid(run.item.key.runID)
                    try writer.int4(Int32(clamping: index))
                    try writer.uuid(run.item.key.storedActionID)
                    try writer.jsonb(value.bytes)
                    try writer.int8(Int64(exportID))
                }
            }
        }
    }

    borrowing func copyErrors(_ runs: [LoadedRun], exportID: Int) throws {
        let runs = runs.filter { $0.result?.errors.isEmpty == false }
        guard !runs.isEmpty else { return }
        _ = try copy(
            into: "stored_actions.errors",
            columns: [
                "run_id", "error_index", "stored_action_id", "code", "title", "detail", "delay_seconds", "meta",
                "extra", "export_id",
            ]
        ) { writer in
            for run in runs {
                for (index, error) in (run.result?.errors ?? []).enumerated() {
                    try writer.beginRow()
                    try writer.uuid(run.item.key.runID)
                    try writer.int4(Int32(clamping: index))
                    try writer.uuid(run.item.key.storedActionID)
                    try writer.text(storable(error.code))
                    try writer.text(storable(error.title))
                    try writer.text(storable(error.detail))
                    try writer.int8(error.delay.map(Int64.init))
                    try writer.jsonb(error.meta?.bytes)
                    try writer.jsonb(error.extra?[...])
                    try writer.int8(Int64(exportID))
                }
            }
        }
    }

    borrowing func copyAPIErrors(_ runs: [LoadedRun], exportID: Int) throws {
        let runs = runs.filter { !$0.apiErrors.isEmpty }
        guard !runs.isEmpty else { return }
        _ = try copy(
            into: "stored_actions.api_errors",
            columns: [
                "stored_action_id", "run_id", "error_index", "http_status", "status", "code", "title", "detail",
                "source_pointer", "source_parameter", "source_header", "meta", "occurred_at", "export_id",
            ]
        ) { writer in
            for run in runs {
                for (index, error) in run.apiErrors.enumerated() {
                    try writer.beginRow()
                    try writer.uuid(run.item.key.storedActionID)
                    try writer.uuid(run.item.key.runID)
                    try writer.int4(Int32(clamping: index))
                    try writer.int4(Int32(clamping: run.httpStatus ?? 0))
                    try writer.int4(error.status.flatMap { Int32(exactly: $0) })
                    try writer.text(storable(error.code))
                    try writer.text(storable(error.title))
                    try writer.text(storable(error.detail))
                    try writer.text(storable(error.sourcePointer))
                    try writer.text(storable(error.sourceParameter))
                    try writer.text(storable(error.sourceHeader))
                    try writer.jsonb(error.meta?.bytes)
                    try writer.timestamptz(run.answeredAt)
                    try writer.int8(Int64(exportID))
                }
            }
        }
    }

    borrowing func updateRuns(_ runs: [LoadedRun], exportID: Int) throws {
        guard !runs.isEmpty else { return }
        _ = try query(
            """
            update stored_actions.runs r
               set outcome = n.outcome, status = n.status, http_status = n.http_status, type = n.type,
                   result_count = n.result_count, error_count = n.error_count, next_page = n.next_page,
                   extra = n.extra, fetched_at = n.fetched_at, checked_at = n.checked_at,
                   seen_alive = r.seen_alive or n.seen_alive, evidence = n.evidence, failure = n.failure,
                   export_id = $16, loaded_at = now()
              from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::int[],
                          $9::text[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[], $13::boolean[],
                          $14::text[], $15::text[])
                   as n(stored_action_id, run_id, outcome, status, http_status, type, result_count, error_count,
                        next_page, extra, fetched_at, checked_at, seen_alive, evidence, failure)
             where r.stored_action_id = n.stored_action_id and r.run_id = n.run_id
            """,
            runs.keyParameters + [
                .texts(runs.map(\.verdict.outcome.rawValue)),
                .texts(runs.map { storable($0.result?.status ?? $0.status) }),
                .ints(runs.map(\.httpStatus)),
                .texts(runs.map { storable($0.result?.type) }),
                .ints(runs.map { $0.result?.resultCount ?? 0 }),
                .ints(runs.map { $0.result?.errors.count ?? 0 }),
                .texts(runs.map { storable($0.result?.nextPage) }),
                .jsons(runs.map { $0.result?.extra.map { String(decoding: $0, as: UTF8.self) } }),
                .timestamps(runs.map { $0.verdict.outcome.isStored ? $0.answeredAt : nil }),
                .timestamps(runs.map(\.answeredAt)),
                .bools(runs.map(\.verdict.seenAlive)),
                .texts(runs.map(\.verdict.evidence?.rawValue)),
                .texts(runs.map { storable($0.verdict.failure) }),
                .int(exportID),
            ])
    }

    /// Also of runs whose answer changes nothing.
    borrowing func countRequests(_ runs: [LoadedRun]) throws {
        _ = try query(
            """
            update stored_actions.runs r
               set attempts = r.attempts + n.requests
              from unnest($1::uuid[], $2::uuid[], $3::int[]) as n(stored_action_id, run_id, requests)
             where r.stored_action_id = n.stored_action_id and r.run_id = n.run_id
            """, runs.keyParameters + [.ints(runs.map(\.item.requests))])
    }

    borrowing func updateItems(_ commits: [Commit], exportID: Int) throws {
        let commits = commits.filter { $0.item.page == nil }
        guard !commits.isEmpty else { return }
        _ = try query(
            """
            update stored_actions.export_items i
               set outcome = n.outcome, action = n.action, poll_at = n.poll_at, polls = n.polls,
                   result_count = n.result_count
              from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::int[], $8::int[])
                   as n(stored_action_id, run_id, outcome, action, poll_at, polls, result_count)
             where i.export_id = $1 and i.stored_action_id = n.stored_action_id and i.run_id = n.run_id
            """,
            [
                .int(exportID), .uuids(commits.map(\.item.key.storedActionID)), .uuids(commits.map(\.item.key.runID)),
                .texts(commits.map(\.outcome.rawValue)),
                .texts(commits.map { $0.rule == .alreadySettled ? "already_settled" : "fetched" }),
                .timestamps(commits.map(\.pollAt)), .ints(commits.map(\.item.polls)),
                .ints(commits.map(\.results)),
            ])
    }

    /// Marks the batch as committed, in the batch itself.
    borrowing func countBatch(_ number: Int, exportID: Int, requests: RequestCount) throws {
        _ = try query(
            "update stored_actions.exports set batches = $2, requests = $3, rate_limited = $4 where export_id = $1",
            [.int(exportID), .int(number), .int(requests.total), .int(requests.rateLimited)])
    }

    /// Whether the batch is in. Waits for a server process that is still at the COMMIT whose answer was lost.
    borrowing func hasBatch(_ number: Int, exportID: Int) throws -> Bool {
        let rows = try query(
            "select batches >= $2 as committed from stored_actions.exports where export_id = $1 for update",
            [.int(exportID), .int(number)])
        return try rows.first?.decode("committed") ?? false
    }
}

extension [LoadedRun] {
    fileprivate var keyParameters: [PostgresParameter] {
        [.uuids(map(\.item.key.storedActionID)), .uuids(map(\.item.key.runID))]
    }
}

/// A text that a `text` column takes: NUL, the one character that PostgreSQL has no room for, becomes U+FFFD.
func storable(_ text: String?) -> String? {
    guard let text, text.utf8.contains(0) else { return text }
    return String(text.unicodeScalars.map { $0 == "\u{0}" ? "\u{FFFD}" : Character($0) })
}
