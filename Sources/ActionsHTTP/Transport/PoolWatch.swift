import ActionsAPI
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOHTTP2
import Synchronization

/// How far a request has come.
enum RequestStage: Sendable, Equatable {
    /// It waits for a connection, or for a free stream on one.
    case inLine
    /// - Parameter isReused: the connection has brought an answer before.
    case sent(isReused: Bool)
    /// The head of the answer has come.
    case answered
}

/// Follows each GET through the pool of connections. AsyncHTTPClient does not expose whether a request is still in
/// line, or on what kind of connection it has left; how long to wait and whether to send it again depend on both.
///
/// A request carries its number in a header as far as its connection. The checkpoint there removes the header, so the
/// number never leaves.
final class PoolWatch: Sendable {
    typealias Number = UInt64

    static let header = "stored-actions-request"

    private struct Request {
        var stage = RequestStage.inLine
        var connection: ObjectIdentifier?
        /// What broke its connection, where the stream learns only that it is closed.
        var breakage: (any Error)?
        /// Its connection has had a GOAWAY, HTTP/2's notice that the server closes it.
        var isConnectionGoingAway = false
        var hasLeft: @Sendable () -> Void
    }

    private struct State {
        var last: Number = 0
        var requests: [Number: Request] = [:]
        var reused: Set<ObjectIdentifier> = []
    }

    private let state = Mutex(State())

    /// - Parameter hasLeft: called each time the request is written to a connection.
    func enter(hasLeft: @escaping @Sendable () -> Void) -> Number {
        state.withLock { state in
            state.last += 1
            state.requests[state.last] = Request(hasLeft: hasLeft)
            return state.last
        }
    }

    func returnToLine(_ number: Number) {
        state.withLock { state in
            guard let request = state.requests[number] else { return }
            state.requests[number] = Request(hasLeft: request.hasLeft)
        }
    }

    func leave(_ number: Number) {
        state.withLock { _ = $0.requests.removeValue(forKey: number) }
    }

    func stage(of number: Number) -> RequestStage {
        state.withLock { $0.requests[number]?.stage ?? .inLine }
    }

    func breakage(of number: Number) -> (any Error)? {
        state.withLock { $0.requests[number]?.breakage }
    }

    func isConnectionGoingAway(of number: Number) -> Bool {
        state.withLock { $0.requests[number]?.isConnectionGoingAway ?? false }
    }

    func goesAway(_ connection: any Channel) {
        let id = ObjectIdentifier(connection)
        state.withLock { state in
            for (number, request) in state.requests where request.connection == id {
                state.requests[number]?.isConnectionGoingAway = true
            }
        }
    }

    /// An HTTP/2 connection is of no more use.
    func broke(_ connection: any Channel, _ error: any Error) {
        let id = ObjectIdentifier(connection)
        state.withLock { state in
            for (number, request) in state.requests where request.connection == id && request.stage != .inLine {
                state.requests[number]?.breakage = error
            }
        }
    }

    /// Whether any request is on a connection: those in line wait for it, not for the network.
    var isServing: Bool {
        state.withLock { $0.requests.values.contains { $0.stage != .inLine } }
    }

    private func sent(_ number: Number, over connection: any Channel) {
        let id = ObjectIdentifier(connection)
        let hasLeft = state.withLock { state in
            state.requests[number]?.stage = .sent(isReused: state.reused.contains(id))
            state.requests[number]?.connection = id
            return state.requests[number]?.hasLeft
        }
        hasLeft?()
    }

    private func answered(_ number: Number, over connection: any Channel) {
        let id = ObjectIdentifier(connection)
        let isFirst = state.withLock { state in
            state.requests[number]?.stage = .answered
            return state.reused.insert(id).inserted
        }
        guard isFirst else { return }
        connection.closeFuture.whenComplete { [self] _ in state.withLock { _ = $0.reused.remove(id) } }
    }

    /// Sits between the requests and their encoder on an HTTP/1.1 connection, or on a stream of HTTP/2.
    private final class Checkpoint: ChannelDuplexHandler {
        typealias InboundIn = HTTPClientResponsePart
        typealias InboundOut = HTTPClientResponsePart
        typealias OutboundIn = HTTPClientRequestPart
        typealias OutboundOut = HTTPClientRequestPart

        private let pool: PoolWatch
        private let connection: any Channel
        private var current: Number?

        init(_ pool: PoolWatch, connection: any Channel) {
            self.pool = pool
            self.connection = connection
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            guard case .head(var head) = unwrapOutboundIn(data), let number = head.headers.first(name: PoolWatch.header)
            else {
                return context.write(data, promise: promise)
            }
            head.headers.remove(name: PoolWatch.header)
            current = Number(number)
            if let current { pool.sent(current, over: connection) }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .head(let head) = unwrapInboundIn(data), head.status.code >= 200, let current {
                pool.answered(current, over: connection)
            }
            context.fireChannelRead(data)
        }
    }

    fileprivate func join(_ connection: any Channel) -> EventLoopFuture<Void> {
        // One that has closed already has no handlers any more.
        guard connection.isActive else { return connection.eventLoop.makeSucceededVoidFuture() }
        return connection.eventLoop.makeCompletedFuture {
            let pipeline = connection.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            try pipeline.addHandler(Checkpoint(self, connection: connection), position: .after(decoder))
        }
    }

    fileprivate func join(stream: any Channel) -> EventLoopFuture<Void> {
        stream.eventLoop.makeCompletedFuture {
            let pipeline = stream.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP2FramePayloadToHTTP1ClientCodec.self)
            try pipeline.addHandler(
                Checkpoint(self, connection: stream.parent ?? stream), position: .after(codec))
        }
    }
}

extension HTTPClient.Configuration {
    /// Lets `pool` follow the requests of a client.
    mutating func follow(by pool: PoolWatch) {
        http1_1ConnectionDebugInitializer = { pool.join($0) }
        http2StreamChannelDebugInitializer = { pool.join(stream: $0) }
        http2ConnectionDebugInitializer = { StreamWindow.limit($0, pool) }
    }
}
