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
                on conflict (stored_action_id) do update set label = excluded.label
             where excluded.label is distinct from a.label and excluded.label is not null
            """, [.uuids(actions.map(\.key)), .texts(actions.map(\.value.label)), .text(account.name)])
    }

    /// How many stored actions are claimed at a time: a manifest may name more than an array should hold.
    private static let claimLimit = 10_000

    /// Makes sure that every stored action of the manifests has a row, and belongs to the account.
    ///
    /// - Parameter adopts: those of other accounts move to this one, and their runs with them.
    /// - Throws: `ManifestProblems` that names those of other accounts, unless they are adopted.
    static func claim(
        of manifests: Manifests, for account: ZapierAccount, adopts: Bool, in transaction: borrowing PostgresTransaction
    ) throws {
        var foreign: [(action: UUID, account: String)] = []
        var actions = Set(manifests.storedActions.keys)
        try manifests.forEachRun { run in
            actions.insert(run.key.storedActionID)
            guard actions.count >= claimLimit else { return }
            foreign += try claim(actions, for: account, adopts: adopts, in: transaction)
            actions = []
        }
        foreign += try claim(actions, for: account, adopts: adopts, in: transaction)
        guard foreign.isEmpty else { throw try ManifestProblems(foreign, in: manifests, account: account) }
    }

    /// - Returns: those of other accounts. All have their rows by then: where two accounts bring one at the same time,
    ///   the second finds the first one's.
    private static func claim(
        _ actions: Set<UUID>, for account: ZapierAccount, adopts: Bool, in transaction: borrowing PostgresTransaction
    ) throws -> [(action: UUID, account: String)] {
        let parameters: [PostgresParameter] = [.text(account.name), .uuids(actions.sorted())]
        _ = try transaction.query(
            """
            insert into stored_actions.actions (stored_action_id, account)
            select n.stored_action_id, $1
              from unnest($2::uuid[]) as n(stored_action_id)
             where not exists (select from stored_actions.actions a where a.stored_action_id = n.stored_action_id)
             order by n.stored_action_id
                on conflict do nothing
            """, parameters)
        let isForeign = "a.account <> $1 and a.stored_action_id = any($2::uuid[])"
        guard !adopts else {
            _ = try transaction.query("update stored_actions.actions a set account = $1 where \(isForeign)", parameters)
            return []
        }
        return try transaction.query(
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
