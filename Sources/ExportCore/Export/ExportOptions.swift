/// What the command line says of an export.
package struct ExportOptions: Sendable, Equatable {
    /// Requests in flight at most, 1 to 1000.
    package var concurrency = 32
    /// Part of a rate window that may be spent, above 0 and up to 1.
    package var budgetShare = 0.8
    /// How long to go on polling once nothing else is left; zero polls nothing again.
    package var maxWait: Duration = .seconds(600)
    /// Fetch settled runs again too.
    package var refetch = false
    /// Stored actions that the manifests name move from other accounts to this one.
    package var adopt = false
    /// Keep the whole body of each final answer.
    package var keepRaw = false
    /// Chains of pages that ended in a page that failed go on.
    package var retryFailedPages = false
    /// Outcomes that make a complete export exit with 3.
    package var failOn: Set<Outcome> = [.forbidden, .notFound, .rejected]
    /// So do chains of pages behind whose end rows may be missing.
    package var failOnTruncated = true
    /// So do parts of this export's answers that PostgreSQL refused.
    package var failOnRejects = true
    /// `--fail-on none`: a complete export exits with 0.
    package var failsOnNothing: Bool { failOn.isEmpty && !failOnTruncated && !failOnRejects }
    /// Outcomes, of `waiting` and `pending`, that leave an export complete.
    package var allow: Set<Outcome> = []

    package init() {}
}

/// What an export does when another one of its manifest is running.
package enum IfLocked: String, Sendable, CaseIterable {
    case fail, skip, wait
}
