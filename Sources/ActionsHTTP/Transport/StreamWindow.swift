import ActionsAPI
import NIOCore
import NIOHPACK
import NIOHTTP2

/// How much of an answer an HTTP/2 server may send before it is read.
///
/// AsyncHTTPClient (1.37) lets each stream hold 8 MiB unread, beyond any budget of ours: 256 MiB for 32 of them. It
/// asks for what is missing to that size; what goes out is what is missing to ours.
enum StreamWindow {
    static let size = 512 << 10
    private static let clientsSize = 8 << 20

    /// - Parameter asked: by how many bytes the client would widen the window.
    /// - Returns: nil if there is little to add: the client asks again when it has read more.
    static func increment(asked: Int) -> Int? {
        let increment = asked - (clientsSize - size)
        return increment >= size / 2 ? increment : nil
    }

    /// Sits between the streams of a connection and its frames.
    private final class Limiter: ChannelDuplexHandler {
        typealias InboundIn = HTTP2Frame
        typealias OutboundIn = HTTP2Frame
        typealias OutboundOut = HTTP2Frame

        private let pool: PoolWatch

        init(_ pool: PoolWatch) { self.pool = pool }

        /// Nothing else closes a connection on which the server has broken the protocol: its streams would wait for
        /// ever.
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.fireErrorCaught(error)
            guard error is any NIOHTTP2Error || error is any NIOHPACKError, !isOfOneStream(error) else { return }
            pool.broke(context.channel, error)
            context.close(promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .goAway = unwrapInboundIn(data).payload { pool.goesAway(context.channel) }
            context.fireChannelRead(data)
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            let frame = unwrapOutboundIn(data)
            guard case .windowUpdate(let asked) = frame.payload, frame.streamID != .rootStream else {
                return context.write(data, promise: promise)
            }
            guard let increment = increment(asked: asked) else {
                promise?.succeed()
                return
            }
            let limited = HTTP2Frame(
                streamID: frame.streamID, payload: .windowUpdate(windowSizeIncrement: increment))
            context.write(wrapOutboundOut(limited), promise: promise)
        }
    }

    /// NIO (1.46) has reset the stream; the others on its connection go on.
    private static func isOfOneStream(_ error: any Error) -> Bool {
        switch error {
        case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.StreamClosed, is NIOHTTP2Errors.FlowControlViolation,
            is NIOHTTP2Errors.ContentLengthViolated, is NIOHTTP2Errors.ContentLengthHeadersMismatch,
            is NIOHTTP2Errors.ContentLengthHeaderNegative, is NIOHTTP2Errors.ContentLengthHeaderMalformedValue,
            is NIOHTTP2Errors.InvalidStatusValue, is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName,
            is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue, is NIOHTTP2Errors.ForbiddenHeaderField,
            is NIOHTTP2Errors.InvalidPseudoHeaderValue, is NIOHTTP2Errors.MissingPseudoHeader,
            is NIOHTTP2Errors.DuplicatePseudoHeader, is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader,
            is NIOHTTP2Errors.UnknownPseudoHeader, is NIOHTTP2Errors.UnsupportedPseudoHeader,
            is NIOHTTP2Errors.InvalidPseudoHeaders, is NIOHTTP2Errors.TrailersWithoutEndStream:
            true
        default: false
        }
    }

    static func limit(_ connection: any Channel, _ pool: PoolWatch) -> EventLoopFuture<Void> {
        // One that has closed already has no handlers any more.
        guard connection.isActive else { return connection.eventLoop.makeSucceededVoidFuture() }
        return connection.eventLoop.makeCompletedFuture {
            let pipeline = connection.pipeline.syncOperations
            let frames = try pipeline.handler(type: NIOHTTP2Handler.self)
            try pipeline.addHandler(Limiter(pool), position: .after(frames))
        }
    }
}
