import ActionsAPI
import Foundation

/// The outcome of one request of any kind.
package enum Reply<Answer: Sendable>: Sendable {
    case answered(Answer, ReplyDetails)
    case failed(TransportError)
    /// Nothing was sent: there is no token to ask with.
    case noToken(TokenError)
    case cancelled(mayHaveLeft: Bool)

    package init(_ request: () async throws -> (Answer, ReplyDetails)) async {
        do {
            let (answer, details) = try await request()
            self = .answered(answer, details)
        } catch let error as TransportError {
            self = .failed(error)
        } catch let error as TokenError {
            self = .noToken(error)
        } catch {
            self = .cancelled(mayHaveLeft: !(error is CancelledBeforeDeparture))
        }
    }
}

/// The beginning of an answer: all that the budget learns from it.
package struct ReplyHead: Sendable {
    package var status: Int
    package var headers: RateLimitHeaders
    /// When it came.
    package var at: Date

    package init(status: Int, headers: RateLimitHeaders, at: Date) {
        self.status = status
        self.headers = headers
        self.at = at
    }
}

/// What is known of an answer besides its meaning.
package struct ReplyDetails: Sendable {
    package var head: ReplyHead
    /// How often the request had left before, on connections that failed under it.
    package var resent = 0
    /// The body, only if it is to be kept.
    package var body: [UInt8]?
    /// Holds the body's room in the memory budget.
    package var lease: BodyLease?

    package init(head: ReplyHead, resent: Int = 0, body: [UInt8]? = nil, lease: BodyLease? = nil) {
        self.head = head
        self.resent = resent
        self.body = body
        self.lease = lease
    }
}
