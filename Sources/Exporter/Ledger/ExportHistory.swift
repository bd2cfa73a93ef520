import Foundation
import Postgres

/// What the ledger tells of past exports and of what is left to do. Reads only.
package struct ExportHistory: Sendable {
    package struct Export: Sendable, Encodable, Equatable {
        package var exportID: Int
        package var manifests: [String]
        package var startedAt: Date
        package var finishedAt: Date?
        package var outcome: String
        package var exitStatus: Int?
        package var items: Int
        package var outcomes: [String: Int]
        package var requests: Int
        package var rateLimited: Int

        private enum CodingKeys: String, CodingKey {
            case exportID = "export_id"
            case manifests
            case startedAt = "started_at"
            case finishedAt = "finished_at"
            case outcome
            case exitStatus = "exit_status"
            case items, outcomes, requests
            case rateLimited = "rate_limited"
        }
    }

    /// A run that no export has settled yet.
    package struct Unsettled: Sendable, Encodable, Equatable {
        package var storedActionID: String
        package var runID: String
        package var outcome: String
        package var expiresAt: Date

        private enum CodingKeys: String, CodingKey {
            case storedActionID = "stored_action_id"
            case runID = "run_id"
            case outcome
            case expiresAt = "expires_at"
        }
    }

    package struct Left: Sendable, Encodable, Equatable {
        package var runs = 0
        package var outcomes: [String: Int] = [:]
        /// The first to expire among those that have not, the soonest first.
        package var nextToExpire: [Unsettled] = []
        /// Chains of pages without an end.
        package var openChains = 0
        /// The first of the chains whose next page was perhaps asked for, and how many there are.
        package var chainsInDoubt: [ChainReport] = []
        package var chainsInDoubtCount = 0

        private enum CodingKeys: String, CodingKey {
            case runs, outcomes
            case nextToExpire = "next_to_expire"
            case openChains = "open_chains"
            case chainsInDoubt = "chains_in_doubt"
            case chainsInDoubtCount = "chains_in_doubt_count"
        }
    }

    private let session: PostgresSession

    package init(session: PostgresSession) { self.session = session }

    /// - Parameter id: that export alone; nil: the newest ones, the newest first.
    package func exports(id: Int?, limit: Int = 10) async throws -> [Export] {
        let rows = try await session.query(
            """
            select e.export_id, e.started_at, e.finished_at, e.outcome, e.exit_status, e.items, e.requests,
                   e.rate_limited,
                   array_to_string(array(select m.name from stored_actions.export_manifests m
                                          where m.export_id = e.export_id order by m.name), chr(10)) as manifests
              from stored_actions.exports e
             where $1::bigint is null or e.export_id = $1
             order by e.export_id desc
             limit $2
            """, [.int(id), .int(limit)])
        var exports: [Export] = []
        for row in rows {
            let id: Int = try row.decode("export_id")
            let names: String = try row.decode("manifests")
            exports.append(
                Export(
                    exportID: id, manifests: names.split(separator: "\n").map(String.init),
                    startedAt: try row.decode("started_at"), finishedAt: try row.decode("finished_at"),
                    outcome: try row.decode("outcome"), exitStatus: try row.decode("exit_status"),
                    items: try row.decode("items"), outcomes: try await outcomes(of: id),
                    requests: try row.decode("requests"), rateLimited: try row.decode("rate_limited")))
        }
        return exports
    }

    private func outcomes(of id: Int) async throws -> [String: Int] {
        try await session.query(
            "select outcome, count(*) as runs from stored_actions.export_items where export_id = $1 group by outcome",
            [.int(id)]
        ).outcomeCounts()
    }

    /// All unsettled runs, or those of one export.
    package func left(ofExport id: Int?, at now: Date, limit: Int = 5) async throws -> Left {
        let unsettled = """
            from stored_actions.runs r
            where r.page_number = 0 and r.outcome not in ('success', 'error')
              and not stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, $1)
              and ($2::bigint is null
                   or exists (select from stored_actions.export_items i
                               where i.export_id = $2 and i.stored_action_id = r.stored_action_id
                                 and i.run_id = r.run_id))
            """
        var left = Left()
        left.outcomes = try await session.query(
            "select r.outcome, count(*) as runs \(unsettled) group by r.outcome", [.timestamp(now), .int(id)]
        ).outcomeCounts()
        left.runs = left.outcomes.values.reduce(0, +)
        left.nextToExpire = try await session.query(
            """
            select r.stored_action_id::text, r.run_id::text, r.outcome, r.expires_at \(unsettled)
               and r.expires_at > $1
             order by r.expires_at, r.stored_action_id, r.run_id
             limit $3
            """, [.timestamp(now), .int(id), .int(limit)]
        ).map { row in
            Unsettled(
                storedActionID: try row.decode("stored_action_id"), runID: try row.decode("run_id"),
                outcome: try row.decode("outcome"), expiresAt: try row.decode("expires_at"))
        }
        let chains = try await session.query(
            """
            select count(*) filter (where c.end_reason is null) as open,
                   count(*) filter (where c.end_reason is not null) as in_doubt
              from stored_actions.page_chains c
             where (c.pages > 0 and c.end_reason is null or c.end_reason = 'submit_unknown')
               and \(ChainReport.isOfExport)
            """, [.int(id)])
        left.openChains = try chains.first?.decode("open") ?? 0
        left.chainsInDoubtCount = try chains.first?.decode("in_doubt") ?? 0
        left.chainsInDoubt = try await ChainReport.of(export: id, inDoubt: true, session: session)
        return left
    }
}

extension PostgresRows {
    fileprivate func outcomeCounts() throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for row in self { counts[try row.decode("outcome")] = try row.decode("runs", as: Int.self) }
        return counts
    }
}
