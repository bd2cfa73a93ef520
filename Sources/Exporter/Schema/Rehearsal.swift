import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// What an export does to the database, tried without leaving a trace: in a transaction that is rolled back.
///
/// Its statements find or add no row, so that no trigger of the owner's sees one. A schema that is not there is made; one
/// that is behind is not changed even for a moment, because exports may be using it.
package struct Rehearsal: Sendable {
    private let migrator: Migrator

    package init(toolVersion: String) {
        migrator = Migrator(toolVersion: toolVersion)
    }

    /// - Returns: how many migrations are to be applied.
    /// - Throws: what an export would meet: `SchemaProblem`, `PostgresError`.
    package func run(on session: PostgresSession) async throws -> Int {
        _ = try await migrator.pending(on: session)
        do {
            return try await session.transaction(lockLimit: .seconds(5)) { transaction -> Int in
                var applied = try transaction.appliedMigrations()
                if applied.isEmpty {
                    try transaction.lockOutOtherMigrators()
                    applied = try transaction.appliedMigrations()
                }
                let pending = try migrator.plan(applied)
                if applied.isEmpty {
                    for migration in pending { try migrator.apply(migration, in: transaction) }
                } else if !pending.isEmpty, let refusal = try SchemaOwnership(transaction).refusal {
                    throw refusal
                }
                try transaction.execute(script: Self.opening)
                if applied.isEmpty || pending.isEmpty {
                    if let refusal = try SchemaChanges(transaction).refusal { throw refusal }
                    try transaction.execute(script: Self.statements)
                    try transaction.commitNothing()
                }
                throw Done(pending: pending.count)
            } wasCommitted: { _ in
                false
            }
        } catch let done as Done {
            return done.pending
        } catch {
            throw await session.explained(error)
        }
    }

    private struct Done: Error {
        var pending: Int
    }

    /// Also what a server that takes no writes refuses.
    private static let opening = "create temporary table manifest_runs (run_id uuid) on commit drop"

    private static let statements = """
        insert into stored_actions.exports (call_id, api_url, tool_version, host)
        select null, null, null, null where false;
        insert into stored_actions.export_manifests (export_id) select null where false;
        insert into stored_actions.export_items (export_id) select null where false;
        insert into stored_actions.actions (stored_action_id) select null where false
            on conflict (stored_action_id) do update set label = excluded.label;
        insert into stored_actions.runs (run_id) select null where false
            on conflict (stored_action_id, run_id) do nothing;
        insert into stored_actions.page_chains (root_run_id) select null where false
            on conflict (stored_action_id, root_run_id) do nothing;
        insert into stored_actions.page_intents (intent_id) select null where false;
        insert into stored_actions.rejects (run_id) select null where false;
        select from stored_actions.exports, stored_actions.export_manifests, stored_actions.export_items,
                    stored_actions.page_chains, stored_actions.page_intents, stored_actions.runs r
         where stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, now()) and false;
        update stored_actions.actions set label = null where false;
        update stored_actions.export_items set outcome = null where false;
        update stored_actions.page_chains set pages = null where false;
        update stored_actions.page_intents set run_id = null where false;
        delete from stored_actions.page_intents where false;
        """
}

extension PostgresTransaction {
    /// The statements of a batch, of no run that exists.
    fileprivate borrowing func commitNothing() throws {
        let key = RunKey(storedActionID: UUID(), runID: UUID())
        let run = FetchedRun(
            item: RunItem(key: key, expiresAt: .distantFuture), verdict: .unanswered, answeredAt: .now)
        _ = try lockRuns([run])
        try delete(from: .results, .errors, .apiErrors, .rejects, .runBodies, of: [run])
        try copyResults([], exportID: 0)
        try copyErrors([], exportID: 0)
        try copyAPIErrors([], exportID: 0)
        try copyBodies([], exportID: 0)
        try countRequests([run])
        try countBatch(0, exportID: 0, requests: RequestCount())
    }
}
