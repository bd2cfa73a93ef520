/// Why an export goes no further with a chain that has no end.
package struct ChainLeft: Sendable, Equatable {
    /// As `page_chains.left_for` spells it.
    package enum Reason: String, Sendable, CaseIterable {
        /// The chain's inputs are in its manifest alone, and this export has none for it.
        case inputsMissing = "inputs_missing"
        /// The manifest's inputs are others than those that earlier pages were asked for with.
        case inputsDiffer = "inputs_differ"
        /// The page's run was started, and its result could not be fetched.
        case pageFailed = "page_failed"
        /// The page's run was not finished, and the export did not wait for it.
        case pageUnfinished = "page_unfinished"
        case lookUpFailed = "lookup_failed"
        /// The API took no request for the page: 503, again and again.
        case unavailable
        /// The partner throttled the page, again and again.
        case throttled
    }

    package var reason: Reason
    /// For people.
    package var detail: String

    init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }
}
