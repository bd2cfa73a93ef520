import ExportCore
import Foundation
import Postgres

/// The runs of one step of opening an export: reads what is known of them, and writes what their manifests know better.
enum OpeningStore {
    /// A run as a manifest names it.
    struct Named: Sendable {
        var key: RunKey
        var executedAt: Date?
    }

    /// Runs with their statement parameters, of which the same serve several statements.
    struct NamedRuns: Sendable {
        let list: [Named]
        /// Three: `OpeningStore.named` has their rows.
        let parameters: [PostgresParameter]

        init(_ list: [Named]) {
            self.list = list
            parameters = list.map(\.key).parameters + [.timestamps(list.map(\.executedAt))]
        }

        /// - Parameter indexes: ascending.
        func part(_ indexes: [Int]) -> NamedRuns {
            indexes.count == list.count ? self : NamedRuns(indexes.map { list[$0] })
        }
    }

    /// What is known of the runs of a step.
    struct Known: Sendable {
        /// The settled ones by their outcomes.
        var settled: [Outcome: Int] = [:]
        /// Those to ask for, each with its index in the step.
        var unsettled: [(index: Int, item: RunItem)] = []
        /// Those for which the manifests have another start time.
        var misdated: [Int] = []
        /// Those that have no row yet.
        var new: [Int] = []
        /// Suspects are ordered by when they were last asked for.
        var checkedAt: [RunKey: Date] = [:]
    }

    /// For the rest of the transaction, keys in parameters are looked up in the tables' indexes, one by one. The planner
    /// would plan again for each array of keys, which takes longer than the look-ups themselves, and its statistics may be
    /// old.
    static func preferLookUps(in transaction: borrowing PostgresTransaction) throws {
        try transaction.execute(
            script: """
                set local enable_hashjoin = off; set local enable_mergejoin = off;
                set local plan_cache_mode = force_generic_plan; set local jit = off
                """)
    }

    /// - Parameters:
    ///   - refetchSince: with `--refetch`, what was fetched then or later needs no further asking.
    ///   - now: the present, by which runs are settled.
    static func known(
        _ runs: NamedRuns, refetchSince: Date?, at now: Date, in transaction: borrowing PostgresTransaction
    ) throws -> Known {
        let rows = try transaction.query(
            SQL.knownRuns,
            runs.parameters + [.timestamp(refetchSince), .timestamp(now), .text(Suspects.failure)])
        var known = Known()
        for row in rows {
            guard let position = try row.decode("position", as: Int?.self) else {
                if let outcome = try row.decode("outcome", as: String?.self) {
                    known.settled[try Outcome(named: outcome)] = try row.decode("runs")
                } else if let newRuns = try row.decode("new_runs", as: String?.self) {
                    known.addNew(newRuns, of: runs.list, at: now)
                }
                continue
            }
            let index = position - 1
            if try row.decode("is_misdated") { known.misdated.append(index) }
            if try row.decode("is_settled") { continue }
            let outcome = try Outcome(named: row.decode("outcome"))
            var item = RunItem(
                key: runs.list[index].key, executedAt: try row.decode("executed_at"),
                expiresAt: try row.decode("expires_at"), seenAlive: try row.decode("seen_alive"))
            item.isStored = outcome.isStored
            item.wasForbidden = outcome == .forbidden
            item.isSuspect = try row.decode("is_suspect")
            if item.isSuspect { known.checkedAt[item.key] = try row.decode("checked_at") }
            known.unsettled.append((index, item))
        }
        return known
    }

    /// New runs come in as `queued`, in key order, as everywhere: two exports that share runs must not wait for each
    /// other in a circle.
    static func insert(
        _ runs: NamedRuns, exportID: Int, at now: Date, in transaction: borrowing PostgresTransaction
    ) throws {
        guard !runs.list.isEmpty else { return }
        do {
            try transaction.savepoint { try copy(runs.list, exportID: exportID, at: now, in: $0) }
        } catch let error as PostgresError where error.sqlstate == "23505" {
            // Another export has brought some of them meanwhile.
            try insertMissing(runs, exportID: exportID, at: now, in: transaction)
        }
    }

    private static func copy(
        _ runs: [Named], exportID: Int, at now: Date, in transaction: borrowing PostgresTransaction
    ) throws {
        let runs = runs.sorted { ($0.key.storedActionID, $0.key.runID) < ($1.key.storedActionID, $1.key.runID) }
        _ = try transaction.copy(
            into: "stored_actions.runs",
            columns: RunKey.columns + ["root_run_id", "executed_at", "expires_at", "first_seen_at", "export_id"]
        ) { writer in
            for run in runs {
                try writer.beginRow()
                try writer.key(run.key)
                try writer.uuid(run.key.runID)
                try writer.timestamptz(run.executedAt)
                try writer.timestamptz((run.executedAt ?? now) + retention.seconds)
                try writer.timestamptz(now)
                try writer.int8(Int64(exportID))
            }
        }
    }

    private static func insertMissing(
        _ runs: NamedRuns, exportID: Int, at now: Date, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            insert into stored_actions.runs
                   (stored_action_id, run_id, root_run_id, executed_at, expires_at, first_seen_at, export_id)
            select n.stored_action_id, n.run_id, n.run_id, n.executed_at,
                   coalesce(n.executed_at, $4) + \(retentionInterval), $4, $5
              from \(named)
             order by n.stored_action_id, n.run_id
                on conflict do nothing
            """, runs.parameters + [.timestamp(now), .int(exportID)])
    }

    /// Gives known runs the start times of the manifests.
    static func setDates(
        _ runs: NamedRuns, exportID: Int, in transaction: borrowing PostgresTransaction
    ) throws {
        guard !runs.list.isEmpty else { return }
        _ = try transaction.query(
            """
            with dated as (
              select r.stored_action_id, r.run_id, n.executed_at
                from \(named)
                join stored_actions.runs r using (stored_action_id, run_id)
               where n.executed_at is distinct from r.executed_at and n.executed_at is not null
               order by r.stored_action_id, r.run_id
                 for update of r
            )
            update stored_actions.runs r
               set executed_at = d.executed_at, expires_at = d.executed_at + \(retentionInterval), export_id = $4,
                   loaded_at = now()
              from dated d
             where r.stored_action_id = d.stored_action_id and r.run_id = d.run_id
            """, runs.parameters + [.int(exportID)])
    }

    /// SQL: the rows of `NamedRuns.parameters`.
    private static let named =
        "unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as n(stored_action_id, run_id, executed_at)"
    private static let retentionInterval = "make_interval(secs => \(retention.components.seconds))"
}

extension OpeningStore.Known {
    /// - Parameter map: a character for each run: `n` for one without a row.
    fileprivate mutating func addNew(_ map: String, of runs: [OpeningStore.Named], at now: Date) {
        for (index, character) in map.utf8.enumerated() where character == UInt8(ascii: "n") {
            new.append(index)
            unsettled.append((index, RunItem(new: runs[index], at: now)))
        }
    }
}

extension RunItem {
    /// As its row is to be.
    fileprivate init(new run: OpeningStore.Named, at now: Date) {
        self.init(key: run.key, executedAt: run.executedAt, expiresAt: (run.executedAt ?? now) + retention.seconds)
    }
}
