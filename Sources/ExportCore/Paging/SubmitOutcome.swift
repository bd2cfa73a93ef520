import ActionsAPI
import Foundation

/// What came of a POST that asks for a page.
enum SubmitOutcome: Sendable, Equatable {
    case started(runID: UUID)
    /// Surely not started, and the next one would be refused too.
    case refused(String)
    /// 429: the budget does the waiting.
    case throttled
    /// 503: surely not started.
    case unavailable(retryAfter: Duration?)
    /// No connection was had. The next request may leave at that time.
    case notSent(notBefore: Date)
    /// Surely not started, and the export asks for nothing more: the credentials were refused, or it is ending.
    case stopped
    /// It may have started a run.
    case inDoubt(String)
}
