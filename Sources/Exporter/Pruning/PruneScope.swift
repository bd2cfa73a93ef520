import ActionsAPI
import Foundation
import Postgres

/// Which runs are to be forgotten: those whose answer is old enough.
package struct PruneScope: Sendable, Equatable {
    package let answeredBefore: Date
    /// nil: of every stored action.
    package let storedActionID: UUID?
    package let account: ZapierAccount
    /// What is settled is reckoned from here.
    let now: Date

    /// - Parameters:
    ///   - account: whose runs these are.
    ///   - now: the present by the database's clock; no answer counts as older than the Unix epoch.
    package init(
        olderThan age: Duration, storedActionID: UUID? = nil, account: ZapierAccount = .standard, at now: Date
    ) {
        answeredBefore = max(now - age.seconds, Date(timeIntervalSince1970: 0))
        self.storedActionID = storedActionID
        self.account = account
        self.now = now
    }
}

extension PruneScope {
    /// What the conditions below call `$1` to `$4`.
    var parameters: [PostgresParameter] {
        [.timestamp(answeredBefore), .uuid(storedActionID), .timestamp(now), .text(account.name)]
    }

    /// SQL over `r`, a run: it has something to forget, and its answer is old enough. A run without a stored result was
    /// answered when it was last checked; it counts only where that left something. Earlier versions left cursors.
    static let isOld = """
        (r.pruned_at is null or r.page <> '' or r.next_page <> '' and \(isOfChain))
        and coalesce(r.fetched_at, r.checked_at) < $1
        and ($2::uuid is null or r.stored_action_id = $2)
        and \(ZapierAccount.owns("r", "$4"))
        and (r.fetched_at is not null or r.page <> ''
             or \(RunTable.allCases.map { "exists (select from \($0.name) x where \($0.isOfRun))" }
                    .joined(separator: "\n     or ")))
        """

    /// SQL over `r`: a manifest has asked for its pages, or it is one of them.
    static let isOfChain = """
        exists (select from stored_actions.page_chains c
                 where c.stored_action_id = r.stored_action_id and c.root_run_id = r.root_run_id)
        """

    /// SQL over `r`: no later export asks for it.
    static let isSettled = "stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, $3)"

    /// SQL over `r`: it is a page of a chain that has no end, or one in doubt.
    static let isOfOpenChain = """
        exists (select from stored_actions.page_chains c
                 where c.stored_action_id = r.stored_action_id and c.root_run_id = r.root_run_id
                   and (c.end_reason is null or c.end_reason = 'submit_unknown'))
        """

    static let isToGo = "\(isOld)\n and \(isSettled)\n and not \(isOfOpenChain)"
}
