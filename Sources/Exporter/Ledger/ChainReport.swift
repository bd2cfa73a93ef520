import Foundation
import Postgres

/// A chain that needs somebody's attention, as summaries and `status` name it.
package struct ChainReport: Sendable, Encodable, Equatable {
    package var storedActionID: String
    package var rootRunID: String
    /// The page that is next, or in doubt.
    package var pageNumber: Int
    /// For people: what happened.
    package var detail: String?
    /// When the page in doubt was asked for; nil if none is.
    package var askedAt: Date?
    /// What settles a page in doubt: one of these commands.
    package var resolve: [String]

    private enum CodingKeys: String, CodingKey {
        case storedActionID = "stored_action_id"
        case rootRunID = "root_run_id"
        case pageNumber = "page_number"
        case detail
        case askedAt = "asked_at"
        case resolve
    }

    /// - Parameter condition: SQL over `i`, an export's item, and `$1`…
    static func of(
        _ condition: String, _ parameters: [PostgresParameter], inDoubt: Bool, limit: Int, session: PostgresSession
    ) async throws -> [ChainReport] {
        let rows = try await session.query(
            """
            select distinct c.stored_action_id::text, c.root_run_id::text, c.pages, c.end_detail,
                   (select max(p.intended_at) from stored_actions.page_intents p
                     where p.stored_action_id = c.stored_action_id and p.root_run_id = c.root_run_id
                       and p.page_number = c.pages and p.run_id is null) as asked_at
              from stored_actions.page_chains c
              join stored_actions.export_items i on i.stored_action_id = c.stored_action_id and i.run_id = c.root_run_id
             where \(condition)
               and \(inDoubt ? "c.end_reason = 'submit_unknown'" : "c.end_reason is null and c.pages > 0")
             order by asked_at, stored_action_id, root_run_id
             limit \(limit)
            """, parameters)
        return try rows.map { row in
            let root: String = try row.decode("root_run_id")
            return ChainReport(
                storedActionID: try row.decode("stored_action_id"), rootRunID: root,
                pageNumber: try row.decode("pages"), detail: try row.decode("end_detail"),
                askedAt: inDoubt ? try row.decode("asked_at") : nil,
                resolve: inDoubt
                    ? [
                        "stored-actions resolve --chain \(root) --run-id RUN_ID",
                        "stored-actions resolve --chain \(root) --not-sent",
                    ] : [])
        }
    }
}
