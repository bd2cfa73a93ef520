/// Whose stored actions these are: the name of a Zapier account. A stored action belongs to one account, and its runs,
/// results and chains follow it.
package struct ZapierAccount: Sendable, Hashable {
    /// The account of a call that names none, and of all that was stored before there were accounts.
    package static let standard = ZapierAccount(unchecked: "default")

    package let name: String

    /// - Returns: nil for what cannot be a name; `fault(_:)` says why.
    package init?(name: String) {
        guard Self.fault(name) == nil else { return nil }
        self.name = name
    }

    private init(unchecked name: String) { self.name = name }

    /// SQL: the row's stored action belongs to the account. One that no manifest brought is the standard account's.
    ///
    /// - Parameters:
    ///   - row: of a table with `stored_action_id`.
    ///   - account: SQL that gives the account's name.
    static func owns(_ row: String, _ account: String) -> String {
        // Without a reference to the row, each list is read once, and not again for each row.
        """
        (\(row).stored_action_id in (
           select owner.stored_action_id from stored_actions.actions owner where owner.account = \(account))
         or \(account) = '\(standard.name)'
            and \(row).stored_action_id not in (select owner.stored_action_id from stored_actions.actions owner))
        """
    }

    /// Why a text cannot name an account; nil if it can.
    package static func fault(_ name: String) -> String? {
        if let first = name.first, let last = name.last, first.isWhitespace || last.isWhitespace {
            return "the name begins or ends with a blank: remove it"
        }
        return manifestNameFault(name)
    }
}
