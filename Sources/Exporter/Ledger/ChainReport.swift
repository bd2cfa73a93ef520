import ExportCore
import Foundation
import Postgres

/// A chain that needs an operator's attention, as summaries and `status` list it.
package struct ChainReport: Sendable, Equatable {
    /// Chains that a list of reports has at most.
    static let limit = 1000

    package var storedActionID: String
    package var rootRunID: String
    /// The page that is next, or in doubt.
    package var pageNumber: Int
    /// Why the export went no further.
    package var leftFor: ChainLeft.Reason?
    /// For people: what happened.
    package var detail: String
    /// When the page in doubt was asked for; nil if none is, or if that is not known.
    package var askedAt: Date?
    /// The page in doubt may have been asked for after this time, which the database was restored to.
    package var restoredTo: Date?
    /// The next page was perhaps asked for, and a person has to say whether its run has started.
    package var isInDoubt: Bool
    /// Chains of other stored actions have the same root.
    package var sharesRoot: Bool

    /// SQL over `c`, a chain, `$1`, an export or null for all, and `$2`, an account: whether the export has asked for the
    /// chain's root, or changed the chain last.
    static let isOfExport = """
        \(ZapierAccount.owns("c", "$2"))
        and ($1::bigint is null or c.export_id = $1 or c.left_by = $1
             or exists (select from stored_actions.export_items i
                         where i.export_id = $1 and i.stored_action_id = c.stored_action_id
                           and i.run_id = c.root_run_id))
        """

    /// SQL over `$1`, an export, for chains that have no end, or one in doubt: those in doubt for the longest first.
    ///
    /// - Parameter isInScope: SQL over `c`, a chain.
    static func query(inDoubt: Bool, isInScope: String, limit: Int = ChainReport.limit) -> String {
        """
        select c.stored_action_id::text, c.root_run_id::text, c.pages,
               count(*) over (partition by c.root_run_id) > 1 as shares_root,
               case when c.left_by = $1 then c.left_for end as left_for,
               coalesce(c.end_detail,
                        'page ' || c.pages || case when r.outcome = 'queued' then ' is asked for, and not fetched yet'
                                                   else coalesce(' is ' || r.outcome, ' is not asked for yet') end)
                  as detail,
               live.intended_at, case when c.restore_settled_at is null then c.restored_to end as restored_to
          from stored_actions.page_chains c
          \(ChainRows.liveAttempt)
          left join stored_actions.runs r on r.stored_action_id = c.stored_action_id and r.run_id = live.run_id
         where \(inDoubt ? "c.end_reason = 'submit_unknown'" : "c.end_reason is null and c.pages > 0")
           and \(isInScope)
         order by live.intended_at, c.stored_action_id, c.root_run_id
         limit \(limit)
        """
    }
}

extension ChainReport {
    init(_ row: PostgresRow, inDoubt: Bool) throws {
        self.init(
            storedActionID: try row.decode("stored_action_id"), rootRunID: try row.decode("root_run_id"),
            pageNumber: try row.decode("pages"),
            leftFor: try row.decode("left_for", as: String?.self).map(ChainLeft.Reason.init(named:)),
            detail: try row.decode("detail"), isInDoubt: inDoubt, sharesRoot: try row.decode("shares_root"))
        guard inDoubt else { return }
        askedAt = try row.decode("intended_at")
        restoredTo = try row.decode("restored_to")
    }
}
