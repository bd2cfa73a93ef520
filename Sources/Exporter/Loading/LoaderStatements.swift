import ActionsAPI
import ExportCore
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
    borrowing func lockRuns(_ batch: [FetchedRun]) throws -> [StoredRun] {
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
            stored[try RunKey(row)] = StoredRun(
                outcome: try Outcome(named: row.decode("outcome")), resultCount: try row.decode("result_count"))
        }
        return batch.map { stored[$0.item.key] ?? StoredRun() }
    }

    borrowing func delete(from tables: RunTable..., of runs: [FetchedRun]) throws {
        guard !runs.isEmpty else { return }
        for table in tables {
            _ = try query(
                """
                delete from \(table.name) x
                 using unnest($1::uuid[], $2::uuid[]) as r(stored_action_id, run_id)
                 where \(table.isOfRun)
                """, runs.keyParameters)
        }
    }

    borrowing func copyResults(_ rows: some Sequence<AnswerRow<JSONValue>>, exportID: Int) throws {
        _ = try copy(
            into: "stored_actions.results",
            columns: [
                "run_id", "item_index", "stored_action_id", "payload", "payload_raw", "payload_notes", "export_id",
            ]
        ) { writer in
            for row in rows {
                let stored = StoredJSON(row.value)
                try writer.beginRow()
                try writer.uuid(row.key.runID)
                try writer.int4(Int32(clamping: row.position))
                try writer.uuid(row.key.storedActionID)
                try writer.jsonb(stored.json)
                try writer.bytea(stored.raw)
                try writer.texts(stored.notes)
                try writer.int8(Int64(exportID))
            }
        }
    }

    borrowing func copyErrors(_ rows: some Sequence<AnswerRow<ErrorRow>>, exportID: Int) throws {
        _ = try copy(
            into: "stored_actions.errors",
            columns: [
                "run_id", "error_index", "stored_action_id", "code", "title", "detail", "delay_seconds", "meta",
                "extra", "raw", "notes", "export_id",
            ]
        ) { writer in
            for row in rows {
                try writer.beginRow()
                try writer.uuid(row.key.runID)
                try writer.int4(Int32(clamping: row.position))
                try writer.uuid(row.key.storedActionID)
                switch row.value {
                case .single(let error): try writer.columns(of: error)
                case .rest(_, _, let count): try writer.columns(ofRest: row.value.raw, count: count)
                }
                try writer.int8(Int64(exportID))
            }
        }
    }

    borrowing func copyAPIErrors(_ rows: some Sequence<AnswerRow<AnsweredError>>, exportID: Int) throws {
        _ = try copy(
            into: "stored_actions.api_errors",
            columns: [
                "stored_action_id", "run_id", "error_index", "http_status", "status", "code", "title", "detail",
                "source_pointer", "source_parameter", "source_header", "meta", "occurred_at", "export_id",
            ]
        ) { writer in
            for row in rows {
                let error = row.value.error
                try writer.beginRow()
                try writer.uuid(row.key.storedActionID)
                try writer.uuid(row.key.runID)
                try writer.int4(Int32(clamping: row.position))
                try writer.int4(Int32(clamping: row.value.httpStatus))
                try writer.int4(error.status.flatMap { Int32(exactly: $0) })
                try writer.text(storable(error.code))
                try writer.text(storable(error.title))
                try writer.text(storable(error.detail))
                try writer.text(storable(error.sourcePointer))
                try writer.text(storable(error.sourceParameter))
                try writer.text(storable(error.sourceHeader))
                try writer.jsonb(error.meta.flatMap { StoredJSON($0).json })
                try writer.timestamptz(row.value.answeredAt)
                try writer.int8(Int64(exportID))
            }
        }
    }

    borrowing func copyBodies(_ runs: some Sequence<FetchedRun>, exportID: Int) throws {
        _ = try copy(
            into: "stored_actions.run_bodies", columns: ["stored_action_id", "run_id", "body", "export_id"]
        ) { writer in
            for run in runs {
                guard let body = run.finalBody else { continue }
                try writer.beginRow()
                try writer.uuid(run.item.key.storedActionID)
                try writer.uuid(run.item.key.runID)
                try writer.bytea(body)
                try writer.int8(Int64(exportID))
            }
        }
    }

    /// All rows of these answers at once.
    borrowing func write(_ runs: [FetchedRun], exportID: Int) throws {
        if runs.contains(where: { ($0.result?.resultCount ?? 0) > 0 }) {
            try copyResults(runs.lazy.flatMap(\.resultRows), exportID: exportID)
        }
        if runs.contains(where: { $0.result?.errors.isEmpty == false }) {
            try copyErrors(runs.lazy.flatMap(\.errorRows), exportID: exportID)
        }
        if runs.contains(where: { !$0.apiErrors.isEmpty }) {
            try copyAPIErrors(runs.lazy.flatMap(\.apiErrorRows), exportID: exportID)
        }
        if runs.contains(where: { $0.finalBody != nil }) { try copyBodies(runs, exportID: exportID) }
        try updateRuns(runs, exportID: exportID)
    }

    /// - Throws: `PostgresError` of kind `rowsDropped` too, if a trigger kept a row as it was.
    borrowing func updateRuns(_ runs: [FetchedRun], exportID: Int) throws {
        guard !runs.isEmpty else { return }
        let areLarge = runs.reduce(0) { $0 + $1.extraBytes } > 1 << 20
        let extras = runs.map { areLarge ? nil : $0.result?.extra.map(StoredJSON.init(text:)) }
        let updated = try query(
            """
            update stored_actions.runs r
               set outcome = n.outcome, status = n.status, http_status = n.http_status, type = n.type,
                   result_count = n.result_count, error_count = n.error_count, next_page = n.next_page,
                   extra = n.extra, extra_raw = n.extra_raw, pruned_at = null, fetched_at = n.fetched_at, checked_at = n.checked_at,
                   seen_alive = r.seen_alive or n.seen_alive, evidence = n.evidence, failure = n.failure,
                   export_id = $17, loaded_at = now()
              from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::int[],
                          $9::text[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[], $13::boolean[],
                          $14::text[], $15::text[], $16::bytea[])
                   as n(stored_action_id, run_id, outcome, status, http_status, type, result_count, error_count,
                        next_page, extra, fetched_at, checked_at, seen_alive, evidence, failure, extra_raw)
             where r.stored_action_id = n.stored_action_id and r.run_id = n.run_id
            returning 1 as one
            """,
            runs.keyParameters + [
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
                .int(exportID),
            ])
        let count = Set(runs.map(\.item.key)).count
        if updated.count < count {
            throw PostgresError(
                .rowsDropped, operation: "update stored_actions.runs",
                message: "a trigger dropped \(count - updated.count) of \(count) rows")
        }
        if areLarge { try updateExtras(runs.filter { $0.extraBytes > 0 }) }
    }

    /// By way of COPY, which sends a value from where it lies: a parameter is there three times at once.
    private borrowing func updateExtras(_ runs: [FetchedRun]) throws {
        try execute(
            script: """
                create temporary table extras (
                  stored_action_id uuid, run_id uuid, extra jsonb, extra_raw bytea
                ) on commit drop
                """)
        _ = try copy(
            into: "pg_temp.extras", columns: ["stored_action_id", "run_id", "extra", "extra_raw"]
        ) { writer in
            for run in runs {
                let extra = run.result?.extra.map(StoredJSON.init(text:))
                try writer.beginRow()
                try writer.uuid(run.item.key.storedActionID)
                try writer.uuid(run.item.key.runID)
                try writer.jsonb(extra?.json)
                try writer.bytea(extra?.raw)
            }
        }
        _ = try query(
            """
            update stored_actions.runs r
               set extra = n.extra, extra_raw = n.extra_raw
              from pg_temp.extras n
             where r.stored_action_id = n.stored_action_id and r.run_id = n.run_id
            """)
        try execute(script: "drop table pg_temp.extras")
    }

    /// Also of runs whose answer changes nothing.
    borrowing func countRequests(_ runs: [FetchedRun]) throws {
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
    borrowing func hasBatch(_ number: Int, exportID: Int) throws -> Bool {
        let rows = try query(
            "select batches >= $2 as committed from stored_actions.exports where export_id = $1 for update",
            [.int(exportID), .int(number)])
        return try rows.first?.decode("committed") ?? false
    }
}

extension PostgresCopyWriter {
    /// From `code` to `notes`.
    fileprivate mutating func columns(of error: PartnerError) throws {
        let value = error.value
        // Either of meta and extra may be a level deeper than the error, or a little longer.
        let notes = value.flatMap { StoredJSON($0).notes }
        let (meta, extra) = (error.meta.map(StoredJSON.init), error.extra.map(StoredJSON.init(text:)))
        let changes = notes ?? meta?.notes ?? extra?.notes
        try text(storable(error.code))
        try text(storable(error.title))
        try text(storable(error.detail))
        try int8(error.delay.map(Int64.init))
        try jsonb(meta?.json)
        try jsonb(extra?.json)
        try bytea(changes == nil ? nil : value?.bytes)
        try texts(value == nil ? nil : changes)
    }

    /// The same of the errors that share a run's last row.
    fileprivate mutating func columns(ofRest raw: ArraySlice<UInt8>?, count: Int) throws {
        for _ in ["code", "title", "detail", "delay_seconds", "meta"] { try null() }
        try jsonb(Array(#"{"errors": \#(count)}"#.utf8))
        try bytea(raw)
        try texts([
            "(the whole row): \(count) errors as one array, for a run has at most \(PartnerErrors.mostRows) rows"
        ])
    }
}

extension FetchedRun {
    fileprivate var extraBytes: Int { result?.unknownFields.byteCount ?? 0 }
}

extension [FetchedRun] {
    fileprivate var keyParameters: [PostgresParameter] {
        map(\.item.key).parameters
    }
}

/// A text that a `text` column takes: NUL, the one character that PostgreSQL has no room for, becomes U+FFFD.
func storable(_ text: String?) -> String? {
    guard let text, text.utf8.contains(0) else { return text }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
        if byte == 0 { bytes += "\u{FFFD}".utf8 } else { bytes.append(byte) }
    }
    return String(decoding: bytes, as: UTF8.self)
}
