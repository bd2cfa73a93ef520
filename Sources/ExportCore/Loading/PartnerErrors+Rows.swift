import ActionsAPI

extension PartnerErrors {
    /// Rows of one run in `errors`: an app that fails for each of a million objects says the same a million times.
    package static let mostRows = 10_000

    package var rowCount: Int { Swift.min(count, Self.mostRows) }

    /// Of the errors, those that share the last row.
    package var bundled: Int { count > Self.mostRows ? count - Self.mostRows + 1 : 0 }
}
