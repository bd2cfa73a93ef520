import ActionsAPI
import ExportCore
import Foundation
import Logging
import Postgres

/// The write-ahead log of POSTs: an intent is committed before its POST leaves, the run's ID right after the answer.
///
/// It has a connection of its own, so that no batch of results is before it, and a lock on it that tells other exports
/// that this one is alive: an intent of a dead export, without a run, is in doubt.
struct IntentLog: Sendable {
    /// Each round reconnects for up to a minute by itself.
    private static let recordingRounds = 10
    private static let recordingGap: Duration = .seconds(3)

    private let session: PostgresSession
    private let exportID: Int
    private let logger: Logger

    /// Connects when it is first needed.
    init(database: PostgresConfiguration, exportID: Int, logger: Logger) {
        self.exportID = exportID
        self.logger = logger
        session = PostgresSession(database, observer: DatabaseLog(database: database, logger: logger)) { connection in
            _ = try await connection.query(
                "select pg_advisory_lock(\(Self.lockKey("$1::bigint")))", [.int(exportID)])
        }
    }

    /// The key of an export's lock, as SQL.
    static func lockKey(_ exportID: String) -> String {
        "hashtextextended('stored-actions intents of export ' || \(exportID), 0)"
    }

    func close() async { await session.close() }

    /// Commits the intent, unless the chain is not where the submission takes it to be.
    ///
    /// - Returns: nil if the intent is written, else the chain as it is.
    func write(_ submission: PageFollower.Submission) async throws -> Chain? {
        let exportID = exportID
        return try await session.transaction { transaction in
            try transaction.makeDurable()
            guard let chain = try transaction.lockChain(submission.root) else { throw NoChain() }
            let isAsExpected =
                chain.end == nil && chain.attempt == nil && chain.pages == submission.pageNumber
                && chain.cursor == submission.cursor && chain.failedAttempts + 1 == submission.attempt
                && chain.inputsHash == submission.inputsHash && chain.restoredTo == nil
            guard isAsExpected else { return chain }
            _ = try transaction.query(
                """
                insert into stored_actions.page_intents
                       (stored_action_id, root_run_id, cursor_hash, attempt, intent_id, page_number, page, export_id)
                values ($1, $2, sha256(convert_to($3, 'UTF8')), $4, $5, $6, $3, $7)
                """,
                submission.root.parameters + [
                    .text(submission.cursor), .int(submission.attempt), .uuid(submission.intentID),
                    .int(submission.pageNumber), .int(exportID),
                ])
            return nil
        } wasCommitted: { transaction in
            try transaction.hasIntent(submission.intentID)
        }
    }

    /// Takes back an intent whose POST surely started nothing.
    func withdraw(_ submission: PageFollower.Submission) async throws {
        _ = try await session.transaction { transaction in
            try transaction.makeDurable()
            try transaction.takeBack(submission.intentID, of: submission.root)
        } wasCommitted: { transaction in
            try !transaction.hasIntent(submission.intentID)
        }
    }

    /// Commits the ID of the run that the POST started. Goes on for minutes when the database is away: nothing else
    /// knows that ID.
    ///
    /// - Returns: the chain; nil if the run is one that the chain has had already.
    ///
    /// - Parameter now: when the API's answer came, by the clock that the page's age is reckoned with.
    func record(_ submission: PageFollower.Submission, runID: UUID, at now: Date) async throws -> Chain? {
        var round = 1
        while true {
            do {
                return try await recordOnce(submission, runID: runID, at: now)
            } catch let error as PostgresError where error.mayPass && round < Self.recordingRounds {
                round += 1
                logger.warning(
                    """
                    page \(submission.pageNumber) of chain \(submission.root.runID.lowercase) is run \
                    \(runID.lowercase), which cannot be stored yet: \(error)
                    """)
                try? await Task.sleep(for: Self.recordingGap)
            } catch {
                logger.error(
                    """
                    page \(submission.pageNumber) of chain \(submission.root.runID.lowercase) is run \
                    \(runID.lowercase), which could not be stored; once the database is back: stored-actions resolve \
                    --chain \(submission.root.runID.lowercase) --run-id \(runID.lowercase)
                    """)
                throw error
            }
        }
    }

    private func recordOnce(
        _ submission: PageFollower.Submission, runID: UUID, at now: Date
    ) async throws -> Chain? {
        let exportID = exportID
        return try await session.transaction { transaction in
            try transaction.makeDurable()
            let isNew = try transaction.record(
                runID, root: submission.root, intentID: submission.intentID, exportID: exportID, at: now)
            return isNew ? try transaction.lockChain(submission.root) : nil
        } wasCommitted: { transaction in
            try !transaction.query(
                "select from stored_actions.page_intents where intent_id = $1 and run_id = $2",
                [.uuid(submission.intentID), .uuid(runID)]
            ).isEmpty
        }
    }

    private struct NoChain: Error, CustomStringConvertible {
        var description: String { "the chain's row is gone from page_chains" }
    }
}

extension PostgresError {
    /// The same statement may work in a while: a connection that comes back, a disk with room again.
    fileprivate var mayPass: Bool { isTransient || kind.isConnectionLoss }
}

extension PostgresTransaction {
    /// Whatever the database's own setting is: an intent has to outlive a crash of the server.
    borrowing func makeDurable() throws {
        try execute(script: "set local synchronous_commit = on")
    }

    fileprivate borrowing func hasIntent(_ id: UUID) throws -> Bool {
        try !query("select from stored_actions.page_intents where intent_id = $1", [.uuid(id)]).isEmpty
    }

    /// Writes down which run the intent became, and that run's row. A chain that was in doubt for it goes on.
    ///
    /// - Returns: false, and nothing is written, if the run is one of a chain already.
    borrowing func record(
        _ runID: UUID, root: RunKey, intentID: UUID, exportID: Int?, at now: Date
    ) throws -> Bool {
        let known = try query(
            "select from stored_actions.page_intents where intent_id = $1 and run_id = $2",
            [.uuid(intentID), .uuid(runID)])
        // An operator was faster.
        if !known.isEmpty {
            try clearDoubt(of: root)
            return true
        }
        let written = try query(
            """
            insert into stored_actions.runs as r
                   (stored_action_id, run_id, root_run_id, page, page_number, expires_at, first_seen_at, export_id)
            select p.stored_action_id, $3, p.root_run_id, p.page, p.page_number,
                   $6 + make_interval(secs => \(retention.components.seconds)), $6, coalesce($5, p.export_id)
              from stored_actions.page_intents p
             where p.stored_action_id = $1 and p.root_run_id = $2 and p.intent_id = $4
                on conflict (stored_action_id, run_id) do update
               set root_run_id = excluded.root_run_id, page = excluded.page, page_number = excluded.page_number
             where r.root_run_id = r.run_id and r.run_id <> excluded.root_run_id
               and not exists (select from stored_actions.page_chains c
                                where c.stored_action_id = r.stored_action_id and c.root_run_id = r.run_id)
            returning 1 as one
            """, root.parameters + [.uuid(runID), .uuid(intentID), .int(exportID), .timestamp(now)])
        guard !written.isEmpty else { return false }
        try clearDoubt(of: root)
        _ = try query(
            "update stored_actions.page_intents set run_id = $2, recorded_at = $3 where intent_id = $1",
            [.uuid(intentID), .uuid(runID), .timestamp(now)])
        return true
    }

    /// Deletes an intent of which it is known that it started nothing. A chain that was in doubt for it goes on.
    borrowing func takeBack(_ intentID: UUID?, of root: RunKey) throws {
        try clearDoubt(of: root)
        _ = try query(
            "delete from stored_actions.page_intents where intent_id = $1 and run_id is null", [.uuid(intentID)])
    }

    /// Before any intent is changed, everywhere: or two exports of one chain would wait for each other in a circle.
    private borrowing func clearDoubt(of root: RunKey) throws {
        _ = try query(
            """
            update stored_actions.page_chains
               set end_reason = null, end_detail = null
             where stored_action_id = $1 and root_run_id = $2 and end_reason = 'submit_unknown'
            """, root.parameters)
    }
}
