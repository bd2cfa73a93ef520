import ExportCore
import Foundation
import Postgres

/// After a restore of the database to an earlier time: which chains may have requested pages that it has no record of.
///
/// All that a restored database holds of a chain is what it held then. The exports of the lost time may have asked for
/// any number of further pages, so the page that is next is in doubt, and each one after it, until an operator says of
/// one that it was not asked for.
package struct RestoredChains: Sendable {
    package struct Report: Sendable, Equatable {
        /// Chains whose next page is in doubt from now on.
        package var inDoubt = 0
        /// Chains whose next page is in doubt once a page that is known is stored: the root, or one under way.
        package var later = 0
        /// Chains that were in doubt already, and whose further pages are now as well.
        package var before = 0
        /// Chains that had ended early, and whose next page is in doubt if they go on.
        package var ended = 0

        package init() {}
    }

    private let session: PostgresSession
    private let account: ZapierAccount

    /// - Parameter account: whose chains are put in doubt.
    package init(session: PostgresSession, account: ZapierAccount) {
        self.session = session
        self.account = account
    }

    /// Puts the chains in doubt that had no whole end at that time. Those that were put in doubt for the same time, or
    /// a later one, are left as they are.
    ///
    /// - Parameter dryRun: counts, and changes nothing.
    /// - Returns: nil if the time has not come yet by the database's clock.
    package func putInDoubt(restoredTo time: Date, dryRun: Bool) async throws -> Report? {
        let account = account
        return try await session.transaction { transaction in
            let isPast = try transaction.query("select $1::timestamptz <= now() as yes", [.timestamp(time)])
            guard try isPast.first?.decode("yes") == true else { return nil }
            try transaction.makeDurable()
            let chains = try ChainStore.lock(of: account, knownAt: time, in: transaction)
            if !dryRun {
                try ChainStore.putInDoubt(
                    chains.map { (root: $0.root, end: $0.endIfLost(restoredTo: time)) }, restoredTo: time,
                    in: transaction)
            }
            return chains.reduce(into: Report()) { $0.add($1) }
        } wasCommitted: { transaction in
            try dryRun || ChainStore.lock(of: account, knownAt: time, in: transaction).isEmpty
        }
    }
}

extension RestoredChains.Report {
    fileprivate mutating func add(_ chain: Chain) {
        switch chain.end?.reason {
        case .submitUnknown: before += 1
        case nil: if chain.isNextPageUnknown { inDoubt += 1 } else { later += 1 }
        default: ended += 1
        }
    }
}

extension Chain {
    /// It goes on, and nothing is known of its next page but its cursor.
    fileprivate var isNextPageUnknown: Bool {
        end == nil && pages > 0 && attempt?.runID == nil && attempt?.isInFlight != true
    }

    /// The end that the doubt is for it; nil if a page is still to come before the one in doubt.
    fileprivate func endIfLost(restoredTo time: Date) -> ChainEnd? {
        isNextPageUnknown ? .lostToRestore(page: pages, restoredTo: time) : nil
    }
}
