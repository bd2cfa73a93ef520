import ExportCore
import Foundation
import Postgres

/// What an operator found out of a page that was asked for without an answer.
package enum PageFate: Sendable, Equatable {
    case started(runID: UUID)
    case notSent
}

/// Settles a chain whose next page is in doubt: afterwards it goes on.
package struct ChainResolution: Sendable {
    package struct Resolved: Sendable, Equatable {
        package var storedActionID: UUID
        package var pageNumber: Int
        /// Of a restored database: the page after this one is in doubt as well.
        package var isNextInDoubt = false
    }

    /// Why there is nothing to settle.
    package enum Refusal: Error, Sendable, Equatable {
        /// The account has no chain of that root.
        case noChain(root: UUID, account: ZapierAccount)
        /// Several stored actions have a chain of that root, and none was named.
        case severalChains(root: UUID)
        case notInDoubt(root: UUID)
        /// An export has just asked for the page, and waits for the answer.
        case inFlight(page: Int)
        /// A restored database has no row of the root's result, from which the page could be asked for.
        case rootNotStored(UUID)
        /// The run that was named is a page of a chain already, or a root.
        case runTaken(UUID)
    }

    private let session: PostgresSession
    private let account: ZapierAccount

    /// - Parameter account: whose chains these are.
    package init(session: PostgresSession, account: ZapierAccount = .standard) {
        self.session = session
        self.account = account
    }

    /// - Parameter storedActionID: needed only where two stored actions have a chain of that root.
    /// - Throws: `Refusal`; `PostgresError`.
    package func resolve(root rootRunID: UUID, of storedActionID: UUID?, as fate: PageFate) async throws -> Resolved {
        let account = account
        return try await session.transaction { transaction in
            try transaction.makeDurable()
            let root = try transaction.chain(rootRunID, of: storedActionID, account: account)
            guard let chain = try transaction.lockChain(root), chain.isInDoubt else {
                throw Refusal.notInDoubt(root: rootRunID)
            }
            if chain.end == nil, chain.attempt?.isInFlight == true {
                throw Refusal.inFlight(page: chain.pages)
            }
            switch fate {
            case .started(let runID):
                var attempt = chain.attempt
                if attempt == nil { attempt = try transaction.insertLostIntent(of: chain) }
                guard let attempt else { throw Refusal.rootNotStored(rootRunID) }
                guard
                    try transaction.record(
                        runID, root: root, intentID: attempt.intentID, exportID: nil, at: attempt.askedAt)
                else { throw Refusal.runTaken(runID) }
            case .notSent:
                try transaction.takeBack(chain.attempt?.intentID, of: root)
                try transaction.settleRestore(of: root)
            }
            return Resolved(
                storedActionID: root.storedActionID, pageNumber: chain.pages,
                isNextInDoubt: chain.restoredTo != nil && fate != .notSent)
        } wasCommitted: { transaction in
            let root = try transaction.chain(rootRunID, of: storedActionID, account: account)
            let chain = try transaction.lockChain(root)
            switch fate {
            case .started(let runID): return chain?.attempt?.runID == runID
            case .notSent: return chain?.attempt == nil && chain?.restoredTo == nil
            }
        }
    }
}

extension Chain {
    /// Its next page was asked for, or may have been, and no run is known.
    fileprivate var isInDoubt: Bool {
        end?.reason == .submitUnknown || end == nil && attempt?.runID == nil && (attempt != nil || restoredTo != nil)
    }
}

extension PostgresTransaction {
    fileprivate borrowing func chain(
        _ rootRunID: UUID, of storedActionID: UUID?, account: ZapierAccount
    ) throws -> RunKey {
        let all = try query(
            """
            select c.stored_action_id, c.end_reason is not distinct from 'submit_unknown' as is_in_doubt
              from stored_actions.page_chains c
             where c.root_run_id = $1 and ($2::uuid is null or c.stored_action_id = $2)
               and \(ZapierAccount.owns("c", "$3"))
             order by c.stored_action_id
            """, [.uuid(rootRunID), .uuid(storedActionID), .text(account.name)])
        let inDoubt = try all.filter { try $0.decode("is_in_doubt") }
        let actions = try (inDoubt.isEmpty ? Array(all) : inDoubt).map { row in
            try row.decode("stored_action_id", as: UUID.self)
        }
        guard let action = actions.first else {
            throw ChainResolution.Refusal.noChain(root: rootRunID, account: account)
        }
        guard actions.count == 1 else { throw ChainResolution.Refusal.severalChains(root: rootRunID) }
        return RunKey(storedActionID: action, runID: rootRunID)
    }
}
