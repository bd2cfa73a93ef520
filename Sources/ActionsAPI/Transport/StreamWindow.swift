import NIOCore
import NIOHTTP2

/// How much of an answer an HTTP/2 server may send before it is read.
///
/// AsyncHTTPClient (1.37) lets each stream hold 8 MiB unread, beyond any budget of ours: 256 MiB for 32 of them. It asks for
/// what is missing to that size; what goes out is what is missing to ours.
enum StreamWindow {
    static let size = 512 << 10
    private static let clientsSize = 8 << 20

    /// - Parameter asked: by how many bytes the client would widen the window.
    /// - Returns: nil if there is little to add: the client asks again when it has read more.
    static func increment(asked: Int) -> Int? {
        let increment = asked - (clientsSize - size)
        return increment >= size / 2 ? increment : nil
    }

    /// Stands between the streams of a connection and its frames.
    private final class Limiter: ChannelOutboundHandler {
        typealias OutboundIn = HTTP2Frame
        typealias OutboundOut = HTTP2Frame

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

    static func limit(_ connection: any Channel) -> EventLoopFuture<Void> {
        // One that has closed already has no handlers any more.
        guard connection.isActive else { return connection.eventLoop.makeSucceededVoidFuture() }
        return connection.eventLoop.makeCompletedFuture {
            let pipeline = connection.pipeline.syncOperations
            let frames = try pipeline.handler(type: NIOHTTP2Handler.self)
            try pipeline.addHandler(Limiter(), position: .after(frames))
        }
    }
}
