import ExportCore
import Foundation
import Postgres

/// What `status` reads: past exports, the locks of those that run, and what is left to do.
enum HistoryStore {
    static func exports(
        id: Int?, account: ZapierAccount, limit: Int = 10, in transaction: borrowing PostgresTransaction
    ) throws -> [ExportHistory.Export] {
        let rows = try transaction.query(
            """
            select e.export_id, e.started_at, e.finished_at, e.outcome, e.exit_status, e.reason, e.items,
                   e.already_settled, e.requests, e.outcomes::text as outcomes,
                   e.rate_limited, e.host, e.process_id, e.progress_at,
                   array_to_string(array(select m.name from stored_actions.export_manifests m
                                          where m.export_id = e.export_id order by m.name), chr(10)) as manifests
              from stored_actions.exports e
             where e.account = $3 and ($1::bigint is null or e.export_id = $1)
             order by e.export_id desc
             limit $2
            """, [.int(id), .int(limit), .text(account.name)])
        var exports: [ExportHistory.Export] = []
        for row in rows {
            let id: Int = try row.decode("export_id")
            let names: String = try row.decode("manifests")
            exports.append(
                ExportHistory.Export(
                    exportID: id, manifests: names.split(separator: "\n").map(String.init),
                    startedAt: try row.decode("started_at"), finishedAt: try row.decode("finished_at"),
                    outcome: try row.decode("outcome"),
                    exitStatus: try row.decode("exit_status", as: Int?.self).map { Int32(clamping: $0) },
                    reason: try row.decode("reason"), items: try row.decode("items"),
                    alreadySettled: try row.decode("already_settled"),
                    outcomes: try row.decode("outcomes", as: String?.self).map(outcomeCounts)
                        ?? outcomes(of: id, in: transaction),
                    requests: try row.decode("requests"), rateLimited: try row.decode("rate_limited"),
                    host: try row.decode("host"), processID: try row.decode("process_id"),
                    progressAt: try row.decode("progress_at")))
        }
        return exports
    }

    /// - Parameter json: an object of counts, as exports keep it.
    private static func outcomeCounts(_ json: String) throws -> [String: Int] {
        try JSONDecoder().decode([String: Int].self, from: Data(json.utf8)).filter { $0.value > 0 }
    }

    /// Of an export that has not closed its row: the items that it has asked for.
    private static func outcomes(
        of id: Int, in transaction: borrowing PostgresTransaction
    ) throws -> [String: Int] {
        try transaction.query(
            "select outcome, count(*) as runs from stored_actions.export_items where export_id = $1 group by outcome",
            [.int(id)]
        ).outcomeCounts()
    }

    /// Of the exports that run, or ran lately, and of those that are about to begin again.
    static func lockHolders(
        of account: ZapierAccount, in transaction: borrowing PostgresTransaction
    ) throws -> [LockHolder] {
        let names = try transaction.query(
            """
            select m.name
              from stored_actions.export_manifests m
              join stored_actions.exports e using (export_id)
             where e.account = $1
               and (e.outcome = 'running' or e.export_id > (select max(export_id) - 100 from stored_actions.exports))
             group by m.name
            """, [.text(account.name)]
        ).map { try $0.decode("name", as: String.self) }
        return try transaction.query(
            SQL.lockHolders, LockHolder.parameters(names + [ExportLock.unfinished], of: account)
        )
        .map(LockHolder.init)
    }

    /// All unsettled runs, or those of one export.
    static func left(
        ofExport id: Int?, account: ZapierAccount, at now: Date, limit: Int = 5,
        in transaction: borrowing PostgresTransaction
    ) throws -> ExportHistory.Left {
        let isInScope = """
            \(ZapierAccount.owns("r", "$3"))
              and ($2::bigint is null
                   or r.export_id = $2
                   or exists (select from stored_actions.export_items i
                               where i.export_id = $2 and i.stored_action_id = r.stored_action_id
                                 and i.run_id = r.run_id))
            """
        let unsettled = "from \(UnfinishedStore.unsettled(at: "$1")) r where r.page_number = 0 and \(isInScope)"
        let parameters: [PostgresParameter] = [.timestamp(now), .int(id), .text(account.name)]
        var left = ExportHistory.Left()
        let most = ExportHistory.Left.countLimit
        let counts = try transaction.query(
            """
            select r.outcome, count(*) filter (where r.number <= $4) as runs, max(r.number) as last
              from (select r.outcome, row_number() over () as number \(unsettled) limit $4 + 1) r
             group by r.outcome
            """, parameters + [.int(most)])
        left.outcomes = try counts.outcomeCounts().filter { $0.value > 0 }
        left.runs = left.outcomes.values.reduce(0, +)
        left.hasMoreRuns = try counts.contains { try $0.decode("last", as: Int.self) > most }
        left.nextToExpire = try transaction.query(
            """
            select r.stored_action_id::text, r.run_id::text, r.outcome, r.expires_at
              from \(UnfinishedStore.soonest(
                    "$4", at: "$1", where: "r.page_number = 0 and r.expires_at > $1 and \(isInScope)")) r
             order by \(UnfinishedStore.order)
             limit $4
            """, parameters + [.int(limit)]
        ).map { row in
            ExportHistory.Unsettled(
                storedActionID: try row.decode("stored_action_id"), runID: try row.decode("run_id"),
                outcome: try row.decode("outcome"), expiresAt: try row.decode("expires_at"))
        }
        left.failures = try transaction.query(
            """
            select r.outcome, f.failure, count(*) as runs
              from (select r.stored_action_id, r.run_id, r.outcome, r.failure, r.http_status \(unsettled)
                       and r.outcome in ('failed', 'not_found', 'forbidden', 'rejected')
                     limit \(most)) r
              left join stored_actions.api_errors a
                on a.stored_action_id = r.stored_action_id and a.run_id = r.run_id and a.error_index = 0
             cross join lateral (
                   select left(coalesce(a.http_status || coalesce(' ' || a.code, ''), r.failure,
                                        'HTTP status ' || r.http_status, 'no answer'), 200) as failure) f
             group by r.outcome, f.failure
             order by runs desc, r.outcome, f.failure
             limit $4
            """, parameters + [.int(limit)]
        ).map { row in
            ExportHistory.FailureCount(
                outcome: try row.decode("outcome"), failure: try row.decode("failure"), runs: try row.decode("runs"))
        }
        let chains = try transaction.query(
            """
            select count(*) filter (where c.end_reason is null) as open,
                   count(*) filter (where c.end_reason is not null) as in_doubt
              from stored_actions.page_chains c
             where (c.pages > 0 and c.end_reason is null or c.end_reason = 'submit_unknown')
               and \(ChainReport.isOfExport)
            """, [.int(id), .text(account.name)])
        left.openChains = try chains.first?.decode("open") ?? 0
        left.chainsInDoubtCount = try chains.first?.decode("in_doubt") ?? 0
        left.chainsInDoubt = try transaction.query(
            ChainReport.query(inDoubt: true, isInScope: ChainReport.isOfExport), [.int(id), .text(account.name)]
        )
        .map { try ChainReport($0, inDoubt: true) }
        left.rejects =
            try transaction.query(
                """
                select count(*) as n
                  from stored_actions.rejects r
                 where ($1::bigint is null or r.export_id = $1) and \(ZapierAccount.owns("r", "$2"))
                """, [.int(id), .text(account.name)]
            ).first?.decode("n") ?? 0
        return left
    }

    /// When the API last answered, as far as exports have committed it, and the database's present.
    static func times(
        ofExport id: Int?, account: ZapierAccount, in transaction: borrowing PostgresTransaction
    ) throws -> (apiAnsweredAt: Date?, readAt: Date)? {
        try transaction.query(
            """
            select max(e.answered_at) as answered_at, clock_timestamp() as present
              from stored_actions.exports e
             where e.account = $2 and ($1::bigint is null or e.export_id = $1)
            """, [.int(id), .text(account.name)]
        ).first.map { (try $0.decode("answered_at"), try $0.decode("present")) }
    }
}

extension PostgresRows {
    fileprivate func outcomeCounts() throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for row in self { counts[try row.decode("outcome")] = try row.decode("runs", as: Int.self) }
        return counts
    }
}
