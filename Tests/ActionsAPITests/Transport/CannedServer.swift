import NIOCore
import NIOPosix
import Synchronization

/// A TCP server on loopback that answers whatever comes with the same bytes.
final class CannedServer: Sendable {
    enum Ending: Sendable { case keepOpen, close }

    private let channel: any Channel
    private let requests: Requests

    /// The requests' text, as it came.
    private final class Requests: Sendable {
        let texts = Mutex<[String]>([])
    }

    private init(channel: any Channel, requests: Requests) {
        self.channel = channel
        self.requests = requests
    }

    static func with<R>(_ answer: String, then ending: Ending = .keepOpen, _ body: (CannedServer) async throws -> R)
        async throws -> R
    {
        let requests = Requests()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(answer: answer, ending: ending, requests: requests))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = CannedServer(channel: channel, requests: requests)
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
    var received: [String] { requests.texts.withLock { $0 } }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        let answer: String
        let ending: Ending
        let requests: Requests

        init(answer: String, ending: Ending, requests: Requests) {
            self.answer = answer
            self.ending = ending
            self.requests = requests
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let request = unwrapInboundIn(data)
            requests.texts.withLock { $0.append(String(buffer: request)) }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            if ending == .close { context.close(promise: nil) }
        }
    }
}
