import ActionsAPI
import ActionsHTTP
import ExportCore
import Foundation
import Synchronization

/// Makes an export's requests, and makes sense of their answers, away from the machine that decides.
struct Requests: Sendable {
    let client: ActionsClient
    let clock: SteadyClock
    /// Bodies of runs are kept whole.
    let keepsBodies: Bool
    /// nil for an export without manifest.
    let manifests: Manifests?

    /// Gets the head of each answer, whose body may be long in coming.
    typealias OnHead = @Sendable (ReplyHead) -> Void

    func fetch(_ key: RunKey, _ onHead: @escaping OnHead) async -> Reply<RunAnswer> {
        await reply(onHead) { hearing in
            let (answer, response) = try await client.fetchRun(
                storedActionID: key.storedActionID, runID: key.runID, onHead: hearing)
            return (answer, response, isBodyNeeded: true)
        }
    }

    func lookUp(_ storedActionID: UUID, _ onHead: @escaping OnHead) async -> Reply<LookUpAnswer> {
        await reply(onHead) { hearing in
            let (answer, response) = try await client.lookUp(storedActionID: storedActionID, onHead: hearing)
            return (answer, response, isBodyNeeded: false)
        }
    }

    func post(
        _ submission: PageFollower.Submission, inputs: [UInt8], _ onHead: @escaping OnHead
    ) async -> Reply<StartAnswer> {
        await reply(onHead) { hearing in
            let (answer, response) = try await client.startRun(
                storedActionID: submission.root.storedActionID, inputs: inputs, page: submission.cursor,
                onHead: hearing)
            return (answer, response, isBodyNeeded: false)
        }
    }

    private func reply<Answer>(
        _ onHead: @escaping OnHead,
        _ request: (@escaping @Sendable (APIResponse) -> Void) async throws -> (
            Answer, APIResponse, isBodyNeeded: Bool
        )
    ) async -> Reply<Answer> {
        let heard = HeardHead()
        return await Reply {
            let (answer, response, isBodyNeeded) = try await request { response in
                let head = head(of: response)
                heard.head = head
                onHead(head)
            }
            var details = ReplyDetails(head: heard.head ?? head(of: response), resent: response.resent)
            if isBodyNeeded {
                details.body = keepsBodies ? response.body : nil
                details.lease = response.lease
            }
            return (answer, details)
        }
    }

    private func head(of response: APIResponse) -> ReplyHead {
        let now = clock.now
        return ReplyHead(
            status: response.status, headers: RateLimitHeaders(response.headers, receivedAt: now), at: now)
    }

    // MARK: Inputs

    /// What the manifest sends with requests for pages; `{}` where it names nothing, or where there is none and the
    /// chain is known to have been asked for with that.
    ///
    /// - Throws: `SpoolError` if the temporary file cannot be read.
    func inputs(at position: Int?) throws -> [UInt8] {
        guard let manifests, let position else { return PageSettings.noInputs }
        return try manifests.run(at: position).pages.inputs ?? PageSettings.noInputs
    }

    /// The hash of what this export would send for the chain's pages; nil if it has nothing to send: without a manifest
    /// only a chain that is asked for without inputs can go on.
    ///
    /// - Throws: `SpoolError`.
    func inputsHash(of open: OpenChain) throws -> [UInt8]? {
        guard manifests != nil else { return open.chain.inputsHash == InputsHash.none ? InputsHash.none : nil }
        return InputsHash.of(try inputs(at: open.manifestPosition))
    }
}

/// The head of an answer, which is read once.
private final class HeardHead: Sendable {
    private let value = Mutex<ReplyHead?>(nil)

    var head: ReplyHead? {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}
