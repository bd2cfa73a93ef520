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
            let root = try Self.root(rootRunID, of: storedActionID, account: account, in: transaction)
            guard let chain = try ChainStore.lock(root, in: transaction), chain.isInDoubt else {
                throw Refusal.notInDoubt(root: rootRunID)
            }
            if chain.end == nil, chain.attempt?.isInFlight == true {
                throw Refusal.inFlight(page: chain.pages)
            }
            switch fate {
            case .started(let runID):
                var attempt = chain.attempt
                if attempt == nil { attempt = try IntentStore.insertLost(of: chain, in: transaction) }
                guard let attempt else { throw Refusal.rootNotStored(rootRunID) }
                guard
                    try IntentStore.record(
                        runID, root: root, intentID: attempt.intentID, exportID: nil, at: attempt.askedAt,
                        in: transaction)
                else { throw Refusal.runTaken(runID) }
            case .notSent:
                try IntentStore.takeBack(chain.attempt?.intentID, of: root, in: transaction)
                try ChainStore.settleRestore(of: root, in: transaction)
            }
            return Resolved(
                storedActionID: root.storedActionID, pageNumber: chain.pages,
                isNextInDoubt: chain.restoredTo != nil && fate != .notSent)
        } wasCommitted: { transaction in
            let root = try Self.root(rootRunID, of: storedActionID, account: account, in: transaction)
            let chain = try ChainStore.lock(root, in: transaction)
            switch fate {
            case .started(let runID): return chain?.attempt?.runID == runID
            case .notSent: return chain?.attempt == nil && chain?.restoredTo == nil
            }
        }
    }

    /// Of several chains of that root run, the one in doubt.
    private static func root(
        _ rootRunID: UUID, of storedActionID: UUID?, account: ZapierAccount,
        in transaction: borrowing PostgresTransaction
    ) throws -> RunKey {
        let all = try ChainStore.withRoot(rootRunID, of: storedActionID, account: account, in: transaction)
        let inDoubt = all.filter(\.isInDoubt)
        let roots = (inDoubt.isEmpty ? all : inDoubt).map(\.root)
        guard let root = roots.first else { throw Refusal.noChain(root: rootRunID, account: account) }
        guard roots.count == 1 else { throw Refusal.severalChains(root: rootRunID) }
        return root
    }
}

extension Chain {
    /// Its next page was asked for, or may have been, and no run is known.
    fileprivate var isInDoubt: Bool {
        end?.reason == .submitUnknown || end == nil && attempt?.runID == nil && (attempt != nil || restoredTo != nil)
    }
}
