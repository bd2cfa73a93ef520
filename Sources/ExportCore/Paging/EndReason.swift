/// Why a chain of pages goes no further, as `page_chains.end_reason` spells it.
package enum EndReason: String, Sendable, CaseIterable {
    /// The last stored page names no cursor.
    case lastPage = "last_page"
    /// The last stored page names a cursor that the chain has been at.
    case repeatedCursor = "repeated_cursor"
    /// Two pages in a row had no rows, and there was a cursor still: some apps hand them out past their last page.
    case emptyPages = "empty_pages"
    /// The manifest wants no more.
    case maxPages = "max_pages"
    /// The request for a page was refused, or the page is an error.
    case pageError = "page_error"
    /// The API has no result of a page that it started itself.
    case pageExpired = "page_expired"
    /// The stored action is not a bulk read, or is not known to be one.
    case refused
    /// A page was asked for, and its run may or may not have started.
    case submitUnknown = "submit_unknown"

    /// Rows may be missing behind the end.
    package var isTruncated: Bool {
        switch self {
        case .lastPage, .emptyPages: false
        case .repeatedCursor, .maxPages, .pageError, .pageExpired, .refused, .submitUnknown: true
        }
    }
}

/// The end of a chain.
package struct ChainEnd: Sendable, Equatable {
    package var reason: EndReason
    /// For people.
    package var detail: String?

    package init(_ reason: EndReason, _ detail: String? = nil) {
        self.reason = reason
        self.detail = detail
    }
}
