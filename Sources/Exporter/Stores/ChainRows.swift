import ActionsAPI
import ExportCore
import Foundation
import Postgres

/// Reads chains from their tables.
enum ChainRows {
    /// The columns of one chain `c` with the attempt `live` that is under way; `init(_:)` decodes them.
    ///
    /// An intent without a run is in flight as long as the export that wrote it holds its lock.
    static let columns = """
        c.stored_action_id, c.root_run_id, c.pages, c.next_page, c.empty_pages, c.failed_attempts, c.resume_at,
        c.end_reason, c.end_detail, c.inputs_hash, c.first_page, c.max_pages, c.action_type,
        case when c.restore_settled_at is null then c.restored_to end as restored_to,
        (select a.action_type from stored_actions.actions a where a.stored_action_id = c.stored_action_id) as looked_up_type,
        c.next_page = c.first_page
        or exists (select from stored_actions.page_intents p
                    where p.stored_action_id = c.stored_action_id and p.root_run_id = c.root_run_id
                      and p.cursor_hash = sha256(convert_to(c.next_page, 'UTF8')) and p.page_number < c.pages)
           as is_cursor_used,
        live.intent_id, live.run_id as live_run_id, coalesce(live.recorded_at, live.intended_at) as asked_at,
        exists (select from stored_actions.runs l
                 where l.stored_action_id = c.stored_action_id and l.run_id = live.run_id and l.seen_alive)
           as is_seen_alive,
        case when live.intent_id is not null and live.run_id is null
             then not pg_try_advisory_xact_lock_shared(\(IntentLog.lockKey("live.export_id")))
             else false end as is_in_flight
        """

    static let liveAttempt = """
        left join stored_actions.page_intents live
          on live.stored_action_id = c.stored_action_id and live.root_run_id = c.root_run_id
         and live.cursor_hash = sha256(convert_to(c.next_page, 'UTF8'))
         and live.attempt = c.failed_attempts + 1 and live.page_number = c.pages
        """
}

extension Chain {
    init(_ row: PostgresRow) throws {
        self.init(root: try RunKey(row, run: "root_run_id"))
        pages = try row.decode("pages")
        cursor = try row.decode("next_page")
        isCursorUsed = try row.decode("is_cursor_used", as: Bool?.self) ?? false
        emptyPages = try row.decode("empty_pages")
        failedAttempts = try row.decode("failed_attempts")
        resumeAt = try row.decode("resume_at")
        if let reason = try row.decode("end_reason", as: String?.self) {
            end = ChainEnd(try EndReason(named: reason), try row.decode("end_detail"))
        }
        inputsHash = Array(try row.decode("inputs_hash", as: [UInt8].self))
        maxPages = try row.decode("max_pages")
        actionType = try row.decode("action_type")
        lookedUpType = try row.decode("looked_up_type")
        restoredTo = try row.decode("restored_to")
        if let intentID = try row.decode("intent_id", as: UUID?.self) {
            attempt = Attempt(
                intentID: intentID, runID: try row.decode("live_run_id"), askedAt: try row.decode("asked_at"),
                seenAlive: try row.decode("is_seen_alive"), isInFlight: try row.decode("is_in_flight"))
        }
    }
}
