import ExportCore
import Foundation
import Postgres

/// The database's memory of an export: its row, and what it has done.
struct Ledger: Sendable {
    let session: PostgresSession
    let exportID: Int
    let account: ZapierAccount
    /// With `--refetch`: what was fetched since then is not asked for again.
    let refetchSince: Date?

    // MARK: While it runs

    /// Notes which runs the export is about to ask for, in that order, those included that it has asked for and not
    /// stored: if it dies, one of them may be why.
    func takeInHand(_ keys: [RunKey]) async throws {
        _ = try await session.query(
            """
            update stored_actions.exports set in_hand_actions = $2, in_hand_runs = $3 where export_id = $1
            """, [.int(exportID)] + keys.parameters)
    }

    /// Notes how many runs the export is about.
    ///
    /// - Parameter items: nil while not all of them are known.
    func noteOpened(items: Int?, alreadySettled: Int) async throws {
        _ = try await session.query(
            """
            update stored_actions.exports set already_settled = $2, items = coalesce($3, items) where export_id = $1
            """, [.int(exportID), .int(alreadySettled), .int(items)])
    }

    // MARK: The end

    /// The items that the export has asked for, by their outcomes, with the rows that it stored in `results`.
    func recorded() async throws -> (outcomes: [Outcome: Int], results: Int) {
        let rows = try await session.query(
            """
            select i.outcome, count(*) as items, sum(i.result_count)::bigint as results
              from stored_actions.export_items i
             where i.export_id = $1
             group by i.outcome
            """, [.int(exportID)])
        var outcomes: [Outcome: Int] = [:]
        var results = 0
        for row in rows {
            outcomes[try Outcome(named: row.decode("outcome"))] = try row.decode("items")
            results += try row.decode("results", as: Int.self)
        }
        return (outcomes, results)
    }

    /// Stored actions of which the account has had results.
    ///
    /// - Parameter preferred: those that come first.
    func actionsWithResults(preferring preferred: [UUID], limit: Int) async throws -> [UUID] {
        try await session.query(
            """
            select a.stored_action_id
              from stored_actions.actions a
             cross join lateral (
                   select 1 as one from stored_actions.runs r
                    where r.stored_action_id = a.stored_action_id and r.outcome in ('success', 'error')
                    limit 1) result
             where a.account = $1
             order by a.stored_action_id = any($2::uuid[]) desc, a.stored_action_id
             limit $3
            """, [.text(account.name), .uuids(preferred), .int(limit)]
        ).map { try $0.decode("stored_action_id") }
    }

    /// Closes the export's row.
    ///
    /// - Parameters:
    ///   - reason: for people; nil where the outcome says it all.
    ///   - balance: nil if there was no time to draw one up.
    ///   - isRefetchDone: whether the next `--refetch` fetches everything again, rather than what this one left.
    func finish(
        _ outcome: String, exitStatus: Int32, reason: String?, balance: ExportBalance?, isRefetchDone: Bool,
        requests: RequestCount
    ) async throws {
        let outcomes = balance.map { balance in
            let counts = Outcome.allCases.map { "\"\($0.rawValue)\": \(balance.outcomes[$0] ?? 0)" }
            return "{" + counts.joined(separator: ", ") + "}"
        }
        _ = try await session.query(
            """
            update stored_actions.exports
               set finished_at = now(), outcome = $2, exit_status = $3, outcomes = $4, requests = $5,
                   rate_limited = $6, reason = $7, answered_at = greatest(answered_at, $8),
                   refetch_since = case when not $9 then refetch_since end, in_hand_actions = null,
                   in_hand_runs = null
             where export_id = $1
            """,
            [
                .int(exportID), .text(outcome), .int(Int(exitStatus)),
                .json(outcomes), .int(requests.total), .int(requests.rateLimited),
                .text(storable(reason.map { String($0.prefix(1000)) })), .timestamp(requests.answeredAt),
                .bool(isRefetchDone),
            ])
    }
}
