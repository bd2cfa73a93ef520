import ActionsAPI
import ExportCore
import Foundation
import Logging
import Postgres

/// The write-ahead log of POSTs: an intent is committed before its POST leaves, the run's ID right after the answer.
///
/// It has a connection of its own, so that no batch of results is before it, and a lock on it that shows other exports
/// that this one is alive: an intent of a dead export, without a run, is in doubt.
struct IntentLog: Sendable {
    /// Each round reconnects for up to a minute on its own.
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
            guard let chain = try ChainStore.lock(submission.root, in: transaction) else { throw NoChain() }
            let isAsExpected =
                chain.end == nil && chain.attempt == nil && chain.pages == submission.pageNumber
                && chain.cursor == submission.cursor && chain.failedAttempts + 1 == submission.attempt
                && chain.inputsHash == submission.inputsHash && chain.restoredTo == nil
            guard isAsExpected else { return chain }
            try IntentStore.insert(submission, exportID: exportID, in: transaction)
            return nil
        } wasCommitted: { transaction in
            try IntentStore.has(submission.intentID, in: transaction)
        }
    }

    /// Takes back an intent whose POST surely started nothing.
    func withdraw(_ submission: PageFollower.Submission) async throws {
        _ = try await session.transaction { transaction in
            try transaction.makeDurable()
            try IntentStore.takeBack(submission.intentID, of: submission.root, in: transaction)
        } wasCommitted: { transaction in
            try !IntentStore.has(submission.intentID, in: transaction)
        }
    }

    /// Commits the ID of the run that the POST started. Goes on for minutes when the database is away: nothing else
    /// has a run of that ID.
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
            let isNew = try IntentStore.record(
                runID, root: submission.root, intentID: submission.intentID, exportID: exportID, at: now,
                in: transaction)
            return isNew ? try ChainStore.lock(submission.root, in: transaction) : nil
        } wasCommitted: { transaction in
            try IntentStore.has(submission.intentID, runID: runID, in: transaction)
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
