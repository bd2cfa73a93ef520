import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// An HTTP proxy on loopback that does what `CONNECT` asks for, or refuses it.
final class ConnectProxy: Sendable {
    let port: Int
    private let channel: any Channel
    private let log: Log

    private final class Log: Sendable {
        let heads = Mutex<[String]>([])
    }

    /// The heads of the requests that came.
    var heads: [String] { log.heads.withLock(\.self) }

    private init(channel: any Channel, log: Log) {
        self.channel = channel
        self.log = log
        port = channel.localAddress?.port ?? 0
    }

    /// - Parameter refusal: the status line that answers every request, if it is to be refused.
    static func with<R>(refusal: String? = nil, _ body: (ConnectProxy) async throws -> R) async throws -> R {
        let log = Log()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Head(refusal, log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = ConnectProxy(channel: channel, log: log)
        do {
            let result = try await body(proxy)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    private final class Head: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let refusal: String?
        private let log: Log
        private var text = ""
        private var peer: (any Channel)?

        init(_ refusal: String?, _ log: Log) {
            self.refusal = refusal
            self.log = log
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            if let peer { return peer.writeAndFlush(bytes, promise: nil) }
            text += String(buffer: bytes)
            guard text.hasSuffix("\r\n\r\n") else { return }
            log.heads.withLock { $0.append(text) }
            let target = text.split(separator: " ").dropFirst().first?.split(separator: ":") ?? []
            guard refusal == nil, target.count == 2, let port = Int(target[1]) else {
                let answer = "HTTP/1.1 \(refusal ?? "400 Bad Request")\r\nContent-Length: 0\r\n\r\n"
                return context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            }
            let client = context.channel
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Passer(to: client))
                    }
                }
                .connect(host: String(target[0]), port: port)
                .whenSuccess { server in
                    let (handler, context) = bound.value
                    handler.peer = server
                    let answer = ByteBuffer(string: "HTTP/1.1 200 Connection established\r\n\r\n")
                    context.writeAndFlush(handler.wrapOutboundOut(answer), promise: nil)
                }
        }

        func channelInactive(context: ChannelHandlerContext) { peer?.close(promise: nil) }
    }

    private final class Passer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let other: any Channel

        init(to other: any Channel) { self.other = other }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
    }
}
