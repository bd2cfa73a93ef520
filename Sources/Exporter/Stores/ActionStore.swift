import ExportCore
import Foundation
import Postgres

/// The table `actions`: the stored actions that manifests bring, and the account that each belongs to.
enum ActionStore {
    /// Those that the manifests describe. A label is kept until a manifest brings another.
    static func insert(
        of manifests: Manifests, for account: ZapierAccount, in transaction: borrowing PostgresTransaction
    ) throws {
        let actions = manifests.storedActions.sorted { $0.key.lowercase < $1.key.lowercase }
        _ = try transaction.query(
            """
            insert into stored_actions.actions as a (stored_action_id, label, account)
            select n.stored_action_id, n.label, $3 from unnest($1::uuid[], $2::text[]) as n(stored_action_id, label)
                on conflict (stored_action_id) do update set label = coalesce(excluded.label, a.label)
            """, [.uuids(actions.map(\.key)), .texts(actions.map(\.value.label)), .text(account.name)])
    }

    /// Those that the manifests only name, with their runs.
    static func insertOfManifestRuns(
        for account: ZapierAccount, in transaction: borrowing PostgresTransaction
    ) throws {
        _ = try transaction.query(
            """
            insert into stored_actions.actions (stored_action_id, account)
            select distinct m.stored_action_id, $1 from pg_temp.manifest_runs m
             order by m.stored_action_id
                on conflict do nothing
            """, [.text(account.name)])
    }

    /// Makes sure that every stored action of the manifests belongs to the account. All of them have their rows
    /// already: where two accounts bring one at the same time, the second finds the first one's.
    ///
    /// - Parameter adopts: those of other accounts move to this one, and their runs with them.
    /// - Throws: `ManifestProblems` that names those of other accounts, unless they are adopted.
    static func claim(
        of manifests: Manifests, for account: ZapierAccount, adopts: Bool, in transaction: borrowing PostgresTransaction
    ) throws {
        let isForeign = """
            a.account <> $1
            and (a.stored_action_id = any($2::uuid[])
                 or a.stored_action_id in (select m.stored_action_id from pg_temp.manifest_runs m))
            """
        let parameters: [PostgresParameter] = [
            .text(account.name), .uuids(manifests.storedActions.keys.map { $0 }),
        ]
        guard !adopts else {
            _ = try transaction.query("update stored_actions.actions a set account = $1 where \(isForeign)", parameters)
            return
        }
        let foreign = try transaction.query(
            """
            select a.stored_action_id, a.account
              from stored_actions.actions a
             where \(isForeign)
             order by a.stored_action_id
            """, parameters
        ).map {
            (
                action: try $0.decode("stored_action_id", as: UUID.self),
                account: try $0.decode("account", as: String.self)
            )
        }
        guard foreign.isEmpty else { throw try ManifestProblems(foreign, in: manifests, account: account) }
    }
}

extension ManifestProblems {
    fileprivate init(
        _ foreign: [(action: UUID, account: String)], in manifests: Manifests, account: ZapierAccount
    ) throws {
        let actions = Set(foreign.map(\.action))
        var sources: [UUID: String] = [:]
        try manifests.forEachRun { run in
            let action = run.key.storedActionID
            guard actions.contains(action), sources[action] == nil, let first = run.manifests.first else { return }
            sources[action] = manifests.list[first].source
        }
        // One without runs may be in any of them.
        let all = manifests.list.map(\.source).joined(separator: ", ")
        self.init(
            problems: foreign.map { action, owner in
                ManifestProblem(
                    source: sources[action] ?? all, place: ManifestPlace.storedAction(action.lowercase).text(),
                    message: "the stored action belongs to account \(quoted(owner)), and this export is of account "
                        + "\(quoted(account.name)): name the right one with --account, or move the stored action with "
                        + "all its runs by --adopt")
            }, totalCount: foreign.count)
    }
}
