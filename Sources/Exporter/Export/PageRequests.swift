import ActionsAPI
import Foundation

/// Makes the requests that following pages takes, besides the fetch of a page's run, off the export's own loop.
struct PageRequests: Sendable {
    enum PostResult: Sendable {
        case answered(StartAnswer, status: Int, headers: RateLimitHeaders)
        case failed(TransportError)
        /// Nothing was sent: there is no token to ask with.
        case noToken(TokenError)
        case cancelled(mayHaveLeft: Bool)
    }

    enum LookUpResult: Sendable {
        case answered(LookUpAnswer, status: Int, headers: RateLimitHeaders, resent: Int)
        case failed(TransportError)
        case noToken(TokenError)
        case cancelled(mayHaveLeft: Bool)
    }

    let client: ActionsClient
    let clock: SteadyClock
    /// nil for an export without manifest.
    let manifests: Manifests?

    /// What the manifest sends with requests for pages; `{}` where it names nothing, or where there is none and the
    /// chain is known to have been asked for with that.
    ///
    /// - Throws: `SpoolError` if the temporary file cannot be read.
    func inputs(at position: Int?) throws -> [UInt8] {
        guard let manifests, let position else { return PageSettings.noInputs }
        return try manifests.run(at: position).pages.inputs ?? PageSettings.noInputs
    }

    func post(_ submission: PageFollower.Submission, inputs: [UInt8]) async -> PostResult {
        do {
            let (answer, response) = try await client.startRun(
                storedActionID: submission.root.storedActionID, inputs: inputs, page: submission.cursor)
            return .answered(answer, status: response.status, headers: headers(of: response))
        } catch let error as TransportError {
            return .failed(error)
        } catch let error as TokenError {
            return .noToken(error)
        } catch {
            return .cancelled(mayHaveLeft: !(error is CancelledBeforeDeparture))
        }
    }

    func lookUp(_ storedActionID: UUID) async -> LookUpResult {
        do {
            let (answer, response) = try await client.lookUp(storedActionID: storedActionID)
            return .answered(
                answer, status: response.status, headers: headers(of: response), resent: response.resent)
        } catch let error as TransportError {
            return .failed(error)
        } catch let error as TokenError {
            return .noToken(error)
        } catch {
            return .cancelled(mayHaveLeft: !(error is CancelledBeforeDeparture))
        }
    }

    private func headers(of response: APIResponse) -> RateLimitHeaders {
        RateLimitHeaders(receivedAt: clock.now, field: response.header)
    }
}
