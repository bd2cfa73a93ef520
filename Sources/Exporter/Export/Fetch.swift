import ActionsAPI
import Foundation

/// Asks the API for one run and makes sense of the answer, off the export's own loop.
struct Fetch: Sendable {
    enum Result: Sendable {
        /// `body`: only if it is to be kept.
        case answered(RunAnswer, status: Int, headers: RateLimitHeaders, body: [UInt8]?, lease: BodyLease?, resent: Int)
        case failed(TransportError)
        /// Nothing was sent: there is no token to ask with.
        case noToken(TokenError)
        case cancelled(mayHaveLeft: Bool)
    }

    let client: ActionsClient
    let clock: SteadyClock
    /// Bodies are kept whole.
    let keepsBodies: Bool

    func callAsFunction(_ key: RunKey) async -> Result {
        do {
            let (answer, response) = try await client.fetchRun(storedActionID: key.storedActionID, runID: key.runID)
            let headers = RateLimitHeaders(receivedAt: clock.now, field: response.header)
            return .answered(
                answer, status: response.status, headers: headers,
                body: keepsBodies ? response.body : nil,
                lease: response.lease, resent: response.resent)
        } catch let error as TransportError {
            return .failed(error)
        } catch let error as TokenError {
            return .noToken(error)
        } catch {
            return .cancelled(mayHaveLeft: !(error is CancelledBeforeDeparture))
        }
    }
}
