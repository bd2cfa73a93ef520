import ActionsAPI
import Foundation

/// Asks the API for one run and makes sense of the answer, off the export's own loop.
struct Fetch: Sendable {
    enum Result: Sendable {
        case answered(RunAnswer, status: Int, headers: RateLimitHeaders, lease: BodyLease?)
        case failed(TransportError)
        case cancelled
    }

    let client: ActionsClient
    let clock: SteadyClock

    func callAsFunction(_ key: RunKey) async -> Result {
        do {
            let (answer, response) = try await client.fetchRun(storedActionID: key.storedActionID, runID: key.runID)
            let headers = RateLimitHeaders(receivedAt: clock.now, field: response.header)
            return .answered(answer, status: response.status, headers: headers, lease: response.lease)
        } catch let error as TransportError {
            return .failed(error)
        } catch {
            return .cancelled
        }
    }
}
