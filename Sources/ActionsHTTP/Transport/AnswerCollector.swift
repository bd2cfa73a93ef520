import ActionsAPI
import AsyncHTTPClient
import HTTPTypes
import NIOCore
import NIOHTTP1
import Synchronization

/// Puts an answer together while its parts come, on the event loop of its connection: no task and no thread but that one
/// has any part in it, unless the memory for bodies is full.
final class AnswerCollector: HTTPClientResponseDelegate {
    private struct State: ~Copyable {
        var answer: APIResponse?
        var decoder = BodyDecoder(.identity)
        var continuation: CheckedContinuation<APIResponse, any Error>?
        var task: HTTPClient.Task<Void>?
        var failure: (any Error)?
        /// Waits for room for the body.
        var wait: Task<Void, Never>?
    }

    /// Bytes for which room is made as soon as the head announces a body. Those of a longer one grow with it: the
    /// announcement may be wrong.
    private static let mostReserved = 4 << 20

    private let watch: StallWatch
    private let lease: BodyLease
    private let largestBody: Int
    private let onHead: @Sendable (APIResponse) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - lease: the memory that the body takes.
    ///   - largestBody: bytes, after decompression.
    ///   - onHead: gets an answer's head, unless the whole of it came at once.
    init(
        watch: StallWatch, lease: BodyLease, largestBody: Int, onHead: @escaping @Sendable (APIResponse) -> Void
    ) {
        self.watch = watch
        self.lease = lease
        self.largestBody = largestBody
        self.onHead = onHead
    }

    /// The head of an answer has come.
    var hasHead: Bool { state.withLock { $0.answer != nil } }

    /// Sends the request, once.
    ///
    /// - Throws: what AsyncHTTPClient and NIO throw; `TransportError` for what is wrong with the body, and what `fail`
    ///   was called with; `CancellationError`.
    func answer(to request: HTTPClient.Request, from client: HTTPClient) async throws -> APIResponse {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let early = state.withLock { state in
                    if state.failure == nil { state.continuation = continuation }
                    return state.failure
                }
                if let early { return continuation.resume(throwing: early) }
                let task = client.execute(request: request, delegate: self)
                let failure = state.withLock { state in
                    state.task = task
                    return state.failure
                }
                if let failure { task.fail(reason: failure) }
            }
        } onCancel: {
            fail(CancellationError())
        }
    }

    /// Ends the request, if it has not ended yet.
    func fail(_ error: any Error) {
        let task = state.withLock { state in
            state.failure = state.failure ?? error
            return state.task
        }
        task?.fail(reason: error)
    }

    // MARK: What AsyncHTTPClient calls

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        watch.moved()
        var answer = APIResponse(
            status: Int(head.status.code), headers: HTTPFields(received: head.headers), lease: lease)
        let coding = ContentCoding(answer.headers)
        if case .unknown(let name) = coding {
            answer.flaw =
                "has \(name.map { "the Content-Encoding \($0)" } ?? "an unknown Content-Encoding"), which was not asked for"
        }
        let length = coding == .identity ? head.headers.first(name: "Content-Length").flatMap { Int($0) } : nil
        state.withLock { state in
            state.answer = answer
            state.answer?.body.reserveCapacity(min(max(0, length ?? 0), Self.mostReserved))
            state.decoder = BodyDecoder(coding)
        }
        // What has come with the head is taken first: most answers are complete then.
        task.eventLoop.execute { [self, answer] in
            if state.withLock({ $0.continuation != nil }) { onHead(answer) }
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ bytes: ByteBuffer) -> EventLoopFuture<Void> {
        watch.moved(bytes.readableBytes)
        do {
            let waiting = try state.withLock { state in
                state.decoder.feed(bytes)
                return try takePieces(&state)
            }
            guard let waiting else { return task.eventLoop.makeSucceededVoidFuture() }
            return whenThereIsRoom(for: waiting, on: task.eventLoop)
        } catch {
            if let damage = error as? BodyDecoder.Damage { end(flaw: damage.reason) }
            return task.eventLoop.makeFailedFuture(error)
        }
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws {
        do throws(BodyDecoder.Damage) {
            try state.withLock { (state) throws(BodyDecoder.Damage) in try state.decoder.finish() }
            end(flaw: nil)
        } catch {
            end(flaw: error.reason)
        }
    }

    func didReceiveError(task: HTTPClient.Task<Void>, _ error: any Error) { end { _ in .failure(error) } }

    // MARK: The body

    /// Moves what the decoder has into the answer, as far as there is room at once.
    ///
    /// - Returns: the piece that has to wait for room.
    private func takePieces(_ state: inout State) throws -> [UInt8]? {
        while let piece = try nextPiece(&state) {
            guard lease.growAtOnce(by: piece.count) else { return piece }
            state.answer?.body.append(contentsOf: piece)
        }
        return nil
    }

    private func nextPiece(_ state: inout State) throws -> [UInt8]? {
        do {
            guard let piece = try state.decoder.next() else { return nil }
            guard piece.count <= largestBody - (state.answer?.body.count ?? 0) else { throw tooLarge }
            return piece
        } catch is BodyDecoder.TooDense {
            throw TransportError(
                .bodyTooLarge, "the answer unpacks to over \(BodyDecoder.mostDense) times its size", answerBegan: true)
        }
    }

    /// Nothing more is read from the connection until the future is complete.
    private func whenThereIsRoom(for piece: [UInt8], on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        let wait = promise.completeWithTask { [self] in
            var next: [UInt8]? = piece
            while let piece = next {
                try await watch.held { try await lease.grow(by: piece.count) }
                next = try state.withLock { state in
                    state.answer?.body.append(contentsOf: piece)
                    return try takePieces(&state)
                }
            }
        }
        state.withLock { $0.wait = wait }
        return promise.futureResult
    }

    private var tooLarge: TransportError {
        TransportError(
            .bodyTooLarge,
            "the answer is over the limit of "
                + (largestBody >= 1 << 20 ? "\(largestBody >> 20) MiB" : "\(largestBody) bytes"), answerBegan: true)
    }

    // MARK: The end

    private func end(flaw: String?) {
        end { state in
            guard var answer = state.answer else { return .failure(HTTPClientError.remoteConnectionClosed) }
            state.answer = nil
            answer.flaw = answer.flaw ?? flaw
            return .success(answer)
        }
    }

    /// Only the first time counts.
    private func end(_ result: @Sendable (inout State) -> Result<APIResponse, any Error>) {
        let (continuation, answer, wait) = state.withLock { state in
            let continuation = state.continuation.take()
            return (continuation, continuation.map { _ in result(&state) }, state.wait.take())
        }
        wait?.cancel()
        if let answer { continuation?.resume(with: answer) }
    }
}
