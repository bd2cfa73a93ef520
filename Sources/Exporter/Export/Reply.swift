import ActionsAPI
import Foundation

/// What came of one request, whatever it asked for.
enum Reply<Answer: Sendable>: Sendable {
    case answered(Answer, ReplyDetails)
    case failed(TransportError)
    /// Nothing was sent: there is no token to ask with.
    case noToken(TokenError)
    case cancelled(mayHaveLeft: Bool)

    init(_ request: () async throws -> (Answer, ReplyDetails)) async {
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
struct ReplyHead: Sendable {
    var status: Int
    var headers: RateLimitHeaders
    /// When it came.
    var at: Date
}

/// What is known of an answer besides its meaning.
struct ReplyDetails: Sendable {
    var head: ReplyHead
    /// How often the request had left before, on connections that failed under it.
    var resent = 0
    /// The body, only if it is to be kept.
    var body: [UInt8]?
    /// Holds the body's room in the memory budget.
    var lease: BodyLease?
}
