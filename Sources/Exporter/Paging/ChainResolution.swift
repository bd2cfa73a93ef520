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
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package enum Kind: Sendable {
            /// No such chain, or none in doubt; or the run cannot be its page.
            case usage
            /// An export is at the page right now.
            case inFlight
        }

        package var kind: Kind
        package var description: String
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
                throw Refusal(kind: .usage, description: "no page of chain \(rootRunID.lowercase) is in doubt")
            }
            if chain.end == nil, chain.attempt?.isInFlight == true {
                throw Refusal(
                    kind: .inFlight,
                    description:
                        "an export has just asked for page \(chain.pages) of the chain: wait until it has ended")
            }
            switch fate {
            case .started(let runID):
                var attempt = chain.attempt
                if attempt == nil { attempt = try transaction.insertLostIntent(of: chain) }
                guard let attempt else {
                    throw Refusal(
                        kind: .usage,
                        description: "the root of chain \(rootRunID.lowercase) is not stored yet: export its manifest "
                            + "first")
                }
                guard
                    try transaction.record(
                        runID, root: root, intentID: attempt.intentID, exportID: nil, at: attempt.askedAt)
                else {
                    throw Refusal(
                        kind: .usage, description: "run \(runID.lowercase) is a page of a chain already, or a root")
                }
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
            throw ChainResolution.Refusal(
                kind: .usage,
                description: "account \"\(account.name)\" has no chain of pages whose root is run "
                    + "\(rootRunID.lowercase) (stored-actions status lists those in doubt)")
        }
        guard actions.count == 1 else {
            throw ChainResolution.Refusal(
                kind: .usage,
                description: "several stored actions have such a chain of root \(rootRunID.lowercase): name one with"
                    + " --stored-action")
        }
        return RunKey(storedActionID: action, runID: rootRunID)
    }
}
