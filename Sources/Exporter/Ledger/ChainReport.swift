import Foundation
import Postgres

/// A chain that needs somebody's attention, as summaries and `status` name it.
package struct ChainReport: Sendable, Encodable, Equatable {
    package var storedActionID: String
    package var rootRunID: String
    /// The page that is next, or in doubt.
    package var pageNumber: Int
    /// Why the export went no further, as `export_items.chain_left` spells it.
    package var leftFor: String?
    /// For people: what happened.
    package var detail: String
    /// When the page in doubt was asked for; nil if none is.
    package var askedAt: Date?
    /// What settles a page in doubt: one of these commands.
    package var resolve: [String]

    private enum CodingKeys: String, CodingKey {
        case storedActionID = "stored_action_id"
        case rootRunID = "root_run_id"
        case pageNumber = "page_number"
        case leftFor = "left_for"
        case detail
        case askedAt = "asked_at"
        case resolve
    }

    /// SQL over `c`, a chain, and `$1`, an export or null for all.
    static let isOfExport = """
        ($1::bigint is null
         or exists (select from stored_actions.export_items i
                     where i.export_id = $1 and i.stored_action_id = c.stored_action_id and i.run_id = c.root_run_id
                       and i.follow_pages))
        """

    /// Chains that have no end, or one in doubt: those in doubt for the longest first.
    ///
    /// - Parameter export: its chains alone; nil: all.
    static func of(
        export: Int?, inDoubt: Bool, limit: Int = Summary.chainsTold, session: PostgresSession
    ) async throws -> [ChainReport] {
        let rows = try await session.query(
            """
            select c.stored_action_id::text, c.root_run_id::text, c.pages,
                   count(*) over (partition by c.root_run_id) > 1 as is_ambiguous,
                   (select i.chain_left from stored_actions.export_items i
                     where i.export_id = $1 and i.stored_action_id = c.stored_action_id and i.run_id = c.root_run_id)
                      as left_for,
                   coalesce(c.end_detail,
                            'page ' || c.pages || case when r.outcome = 'queued' then ' is asked for, and not fetched yet'
                                                       else coalesce(' is ' || r.outcome, ' is not asked for yet') end)
                      as detail,
                   live.intended_at
              from stored_actions.page_chains c
              \(ChainRows.liveAttempt)
              left join stored_actions.runs r on r.stored_action_id = c.stored_action_id and r.run_id = live.run_id
             where \(inDoubt ? "c.end_reason = 'submit_unknown'" : "c.end_reason is null and c.pages > 0")
               and \(isOfExport)
             order by live.intended_at, c.stored_action_id, c.root_run_id
             limit \(limit)
            """, [.int(export)])
        return try rows.map { row in
            let root: String = try row.decode("root_run_id")
            let action: String = try row.decode("stored_action_id")
            let which = try row.decode("is_ambiguous") ? "\(root) --stored-action \(action)" : root
            return ChainReport(
                storedActionID: action, rootRunID: root,
                pageNumber: try row.decode("pages"), leftFor: try row.decode("left_for"),
                detail: try row.decode("detail"),
                askedAt: inDoubt ? try row.decode("intended_at") : nil,
                resolve: inDoubt
                    ? [
                        "stored-actions resolve --chain \(which) --run-id RUN_ID",
                        "stored-actions resolve --chain \(which) --not-sent",
                    ] : [])
        }
    }
}
