import Foundation

/// Requests made so far, kept in the export's row with every batch.
package struct RequestCount: Sendable {
    package var total = 0
    package var rateLimited = 0
    /// When the API last answered, by the database's clock; nil if it never did.
    package var answeredAt: Date?

    package init(total: Int = 0, rateLimited: Int = 0, answeredAt: Date? = nil) {
        self.total = total
        self.rateLimited = rateLimited
        self.answeredAt = answeredAt
    }
}
