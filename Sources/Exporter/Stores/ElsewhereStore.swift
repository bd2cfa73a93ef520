import ExportCore
import Foundation
import Postgres

/// What earlier exports of an account have left, beside what one export is about.
enum ElsewhereStore {
    /// SQL over `r`, a run, and `$1`, an export: the export has not asked for it.
    private static let isNotAsked = """
        not exists (select from stored_actions.export_items i
                     where i.export_id = $1 and i.stored_action_id = r.stored_action_id and i.run_id = r.run_id)
        """

    /// SQL over `$1`, an export, `$2`, an account, and `$3`, the present: the account's runs `r` that are not settled.
    private static let unsettled = """
        from \(UnfinishedStore.unsettled(at: "$3")) r
        where r.page_number = 0 and \(ZapierAccount.owns("r", "$2")) and \(isNotAsked)
        """

    /// SQL over the same: the roots `r` whose chains go on. They are settled themselves.
    private static let openRoots = """
        from stored_actions.page_chains c
        join stored_actions.runs r on r.stored_action_id = c.stored_action_id and r.run_id = c.root_run_id
        where c.end_reason is null and r.outcome = 'success' and \(ZapierAccount.owns("r", "$2"))
        """

    private static func parameters(_ exportID: Int, _ account: ZapierAccount, _ now: Date) -> [PostgresParameter] {
        [.int(exportID), .text(account.name), .timestamp(now)]
    }

    /// Of the whole account: unsettled runs that the export has not asked for, and roots whose chains go on.
    static func count(
        otherThan exportID: Int, of account: ZapierAccount, at now: Date, in transaction: borrowing PostgresTransaction
    ) throws -> (runs: Int, openRoots: Int) {
        let row = try transaction.query(
            """
            select (select count(*) \(unsettled)) as runs,
                   (select count(*) \(openRoots)) as open_roots
            """, parameters(exportID, account, now)
        ).first
        return (try row?.decode("runs") ?? 0, try row?.decode("open_roots") ?? 0)
    }

    static func countUnsettled(
        _ keys: [RunKey], at now: Date, in transaction: borrowing PostgresTransaction
    ) throws -> Int {
        try transaction.query(
            """
            select count(*) as runs
              from \(RunKey.unnested())
              join stored_actions.runs r using (stored_action_id, run_id)
             where r.page_number = 0
               and not coalesce(stored_actions.is_settled(r.outcome, r.evidence, r.expires_at, $3), false)
            """, keys.parameters + [.timestamp(now)]
        ).first?.decode("runs") ?? 0
    }

    /// Of these roots, those whose chains go on.
    static func countOpen(_ roots: [RunKey], in transaction: borrowing PostgresTransaction) throws -> Int {
        try transaction.query(
            """
            select count(*) as roots
              from \(RunKey.unnested())
              join stored_actions.page_chains c on c.stored_action_id = k.stored_action_id and c.root_run_id = k.run_id
              join stored_actions.runs r on r.stored_action_id = k.stored_action_id and r.run_id = k.run_id
             where c.end_reason is null and r.outcome = 'success'
            """, roots.parameters
        ).first?.decode("roots") ?? 0
    }

    /// The soonest expiry that has not come yet.
    ///
    /// - Parameter removeOwn: takes out of the keys those of the export itself.
    static func soonestExpiry(
        otherThan exportID: Int, of account: ZapierAccount, at now: Date, in transaction: borrowing PostgresTransaction,
        _ removeOwn: (inout Set<RunKey>) throws -> Void
    ) throws -> Date? {
        var last: (expiresAt: Date, key: RunKey)?
        while true {
            let rows = try transaction.query(
                """
                select r.stored_action_id, r.run_id, r.expires_at
                  from (select r.stored_action_id, r.run_id, r.expires_at \(unsettled)
                         union all
                        select r.stored_action_id, r.run_id, r.expires_at \(openRoots)) r
                 where r.expires_at > $3
                   and ($4::timestamptz is null
                        or (r.expires_at, r.stored_action_id, r.run_id) > ($4, $5::uuid, $6::uuid))
                 order by r.expires_at, r.stored_action_id, r.run_id
                 limit 10000
                """,
                parameters(exportID, account, now) + [.timestamp(last?.expiresAt)] + (last?.key).parameters
            ).map { (expiresAt: try $0.decode("expires_at", as: Date.self), key: try RunKey($0)) }
            guard let end = rows.last else { return nil }
            var keys = Set(rows.map(\.key))
            try removeOwn(&keys)
            if let first = rows.first(where: { keys.contains($0.key) }) { return first.expiresAt }
            last = end
        }
    }
}
