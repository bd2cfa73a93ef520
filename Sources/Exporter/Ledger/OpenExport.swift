import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// What an export is about, as its row tells later.
package struct ExportOrigin: Sendable {
    /// Finds the export again when the answer to the COMMIT that opened it was lost.
    package let callID = UUID()
    package var apiURL: String
    package var toolVersion: String
    package var host: String
    package var account: ZapierAccount
    package var processID: Int
    /// Seconds from its opening until its time limit is over; nil without a limit.
    var timeLimit: TimeInterval?

    package init(
        apiURL: String, toolVersion: String, host: String, account: ZapierAccount = .standard,
        processID: Int = Int(ProcessInfo.processInfo.processIdentifier)
    ) {
        self.apiURL = apiURL
        self.toolVersion = toolVersion
        self.host = host
        self.account = account
        self.processID = processID
    }
}

extension Ledger {
    /// Writes the export, its manifests and its items, in one transaction: an export that is there is there whole.
    /// Runs that are settled become items that are done already.
    ///
    /// - Parameters:
    ///   - adopts: stored actions of other accounts move to this one.
    ///   - retryFailedPages: chains that ended in a page that failed go on.
    ///   - concurrency: requests that an export of these manifests has in flight at most.
    ///   - now: the present, from which `expires_at` of runs of unknown age and what is settled are reckoned.
    /// - Throws: `ManifestProblems` if a stored action belongs to another account; nothing is written then.
    static func open(
        _ manifests: Manifests, origin: ExportOrigin, refetch: Bool, adopts: Bool = false,
        retryFailedPages: Bool = false, concurrency: Int = ExportOptions().concurrency, session: PostgresSession,
        at now: Date
    ) async throws -> Ledger {
        let account = origin.account
        let names = manifests.list.map(\.name)
        let (id, since) = try await session.transaction { transaction in
            try transaction.closeKilledExports(of: names, account: account, concurrency: concurrency)
            let since = refetch ? try transaction.startOfUnfinishedRefetch(of: names, account: account) : nil
            let exportID = try transaction.insertExport(origin, refetch: refetch)
            try transaction.insertManifests(manifests, exportID: exportID, account: account)
            try transaction.copyManifestRuns(manifests)
            try transaction.insertActionsOfRuns(account: account)
            try transaction.claimActions(of: manifests, for: account, adopts: adopts)
            try transaction.insertRuns(exportID: exportID, at: now)
            try transaction.insertItems(exportID: exportID, refetch: refetch, since: since, at: now)
            try transaction.insertChains(exportID: exportID)
            try transaction.takeUpSettledRoots(exportID: exportID)
            if retryFailedPages { try transaction.reopenFailedChains(exportID: exportID) }
            try transaction.countItems(exportID: exportID)
            return (exportID, since)
        } wasCommitted: { transaction in
            try transaction.hasExport(origin)
        }
        return Ledger(session: session, exportID: id, refetchSince: refetch ? since ?? now : nil)
    }

    /// The same for all runs that earlier exports of the account left unsettled, and the roots of all its chains that
    /// have no end or one in doubt.
    static func openUnfinished(
        origin: ExportOrigin, retryFailedPages: Bool = false, concurrency: Int = ExportOptions().concurrency,
        session: PostgresSession, at now: Date
    ) async throws -> Ledger {
        let id = try await session.transaction { transaction in
            try transaction.closeKilledExports(of: [], account: origin.account, concurrency: concurrency)
            let exportID = try transaction.insertExport(origin, refetch: false)
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
                [.int(exportID), .timestamp(now), .bool(retryFailedPages), .text(origin.account.name)])
            try transaction.takeUpSettledRoots(exportID: exportID)
            if retryFailedPages { try transaction.reopenFailedChains(exportID: exportID) }
            try transaction.countItems(exportID: exportID)
            return exportID
        } wasCommitted: { transaction in
            try transaction.hasExport(origin)
        }
        return Ledger(session: session, exportID: id, refetchSince: nil)
    }
}

extension PostgresTransaction {
    /// Holding a manifest's lock proves that no other export of it is alive.
    fileprivate borrowing func closeKilledExports(
        of names: [String], account: ZapierAccount, concurrency: Int
    ) throws {
        let which =
            names.isEmpty
            ? "not exists (select from stored_actions.export_manifests m where m.export_id = e.export_id)"
            : "e.export_id in (select m.export_id from stored_actions.export_manifests m where m.name = any($2))"
        let killed = "e.outcome = 'running' and e.account = $1 and \(which)"
        let parameters: [PostgresParameter] = [.text(account.name)] + (names.isEmpty ? [] : [.texts(names)])
        try markSuspects(ofExports: killed, parameters, concurrency: concurrency)
        _ = try query(
            """
            update stored_actions.exports e
               set outcome = 'interrupted', finished_at = now(),
                   reason = 'killed, or cut off from the database; the next export of its manifest found it gone'
             where \(killed)
            """, parameters)
    }

    /// When the refetch began that the manifests' newest exports have not brought to its end: what was fetched since
    /// then needs no further asking, or a refetch under a time limit would start over every time.
    fileprivate borrowing func startOfUnfinishedRefetch(
        of names: [String], account: ZapierAccount
    ) throws -> Date? {
        let rows = try query(
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

    fileprivate borrowing func insertExport(_ origin: ExportOrigin, refetch: Bool) throws -> Int {
        let rows = try query(
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

    fileprivate borrowing func hasExport(_ origin: ExportOrigin) throws -> Bool {
        try !query("select from stored_actions.exports where call_id = $1", [.uuid(origin.callID)]).isEmpty
    }

    fileprivate borrowing func insertManifests(
        _ manifests: Manifests, exportID: Int, account: ZapierAccount
    ) throws {
        for manifest in manifests.list {
            _ = try query(
                """
                insert into stored_actions.export_manifests (export_id, name, source, sha256, items)
                values ($1, $2, $3, $4, $5)
                """,
                [
                    .int(exportID), .text(manifest.name), .text(manifest.source), .text(manifest.sha256),
                    .int(manifest.items),
                ])
        }
        let actions = manifests.storedActions.sorted { $0.key.lowercase < $1.key.lowercase }
        _ = try query(
            """
            insert into stored_actions.actions as a (stored_action_id, label, account)
            select n.stored_action_id, n.label, $3 from unnest($1::uuid[], $2::text[]) as n(stored_action_id, label)
                on conflict (stored_action_id) do update set label = coalesce(excluded.label, a.label)
            """, [.uuids(actions.map(\.key)), .texts(actions.map(\.value.label)), .text(account.name)])
    }

    /// Into a temporary table: a manifest may name more runs than an array should hold.
    fileprivate borrowing func copyManifestRuns(_ manifests: Manifests) throws {
        try execute(
            script: """
                create temporary table manifest_runs (
                  stored_action_id uuid, run_id uuid, executed_at timestamptz, follow_pages boolean,
                  manifest_position bigint, first_page text, max_pages int, action_type text, inputs_hash bytea
                ) on commit drop
                """)
        _ = try copy(
            into: "pg_temp.manifest_runs",
            columns: [
                "stored_action_id", "run_id", "executed_at", "follow_pages", "manifest_position", "first_page",
                "max_pages", "action_type", "inputs_hash",
            ]
        ) { writer in
            try manifests.forEachRunAndPosition { run, position in
                let pages = run.pages.followPages ? run.pages : nil
                try writer.beginRow()
                try writer.uuid(run.key.storedActionID)
                try writer.uuid(run.key.runID)
                try writer.timestamptz(run.executedAt)
                try writer.bool(run.pages.followPages)
                try writer.int8(pages.map { _ in Int64(position) })
                try writer.text(storable(pages?.firstPage))
                try writer.int4(pages.map { Int32(clamping: $0.maxPages) })
                try writer.text(storable(pages?.actionType))
                try writer.bytea(pages.map { InputsHash.of($0.inputs ?? PageSettings.noInputs) })
            }
        }
        try execute(script: "analyze pg_temp.manifest_runs")
    }

    fileprivate borrowing func insertActionsOfRuns(account: ZapierAccount) throws {
        _ = try query(
            """
            insert into stored_actions.actions (stored_action_id, account)
            select distinct m.stored_action_id, $1 from pg_temp.manifest_runs m
             order by m.stored_action_id
                on conflict do nothing
            """, [.text(account.name)])
    }

    /// New runs come in as `queued`; of known ones the manifest may tell better when they were started.
    fileprivate borrowing func insertRuns(exportID: Int, at now: Date) throws {
        let retention = "make_interval(secs => \(retention.components.seconds))"
        // In key order, as everywhere: two exports that share runs must not wait for each other in a circle.
        _ = try query(
            """
            insert into stored_actions.runs
                   (stored_action_id, run_id, root_run_id, executed_at, expires_at, first_seen_at, export_id)
            select stored_action_id, run_id, run_id, executed_at, coalesce(executed_at, $1) + \(retention), $1, $2
              from pg_temp.manifest_runs
             order by stored_action_id, run_id
                on conflict do nothing
            """, [.timestamp(now), .int(exportID)])
        // Only what changes is locked: the runs of a known manifest may be in another export's batch.
        _ = try query(
            """
            with dated as (
              select r.stored_action_id, r.run_id, m.executed_at
                from pg_temp.manifest_runs m
                join stored_actions.runs r using (stored_action_id, run_id)
               where m.executed_at is distinct from r.executed_at and m.executed_at is not null
               order by r.stored_action_id, r.run_id
                 for update of r
            )
            update stored_actions.runs r
               set executed_at = d.executed_at, expires_at = d.executed_at + \(retention), export_id = $1,
                   loaded_at = now()
              from dated d
             where r.stored_action_id = d.stored_action_id and r.run_id = d.run_id
            """, [.int(exportID)])
    }

    /// - Parameter since: with `refetch`, what was fetched then or later is not asked for again.
    fileprivate borrowing func insertItems(exportID: Int, refetch: Bool, since: Date?, at now: Date) throws {
        _ = try query(
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

    fileprivate borrowing func countItems(exportID: Int) throws {
        _ = try query(
            """
            update stored_actions.exports
               set items = (select count(*) from stored_actions.export_items where export_id = $1)
             where export_id = $1
            """, [.int(exportID)])
    }
}

/// `insert … returning` returned nothing.
private struct NoRow: Error, CustomStringConvertible {
    var description: String { "the database did not return the new export's number" }
}
