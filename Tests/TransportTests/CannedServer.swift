import NIOCore
import NIOPosix
import Synchronization

/// A TCP server on loopback that answers whatever request comes with the same bytes.
final class CannedServer: Sendable {
    enum Ending: Sendable {
        case keepOpen, close
        /// Says as soon as there is a connection that nothing will come, and only listens.
        case hangUp
        /// Answers as soon as there is a connection, before any request.
        case greet
        /// Answers the first request of each connection, and closes it when a second one comes.
        case closeSecond
    }

    private let channel: any Channel
    private let requests: Requests

    /// The requests' text, as it came, and the number of the connection on which it came.
    private final class Requests: Sendable {
        let texts = Mutex<[(connection: Int, text: String)]>([])
        let connections = Mutex((opened: 0, closed: 0))
        let bytes = Mutex(0)

        func open() -> Int {
            connections.withLock { connections in
                connections.opened += 1
                return connections.opened
            }
        }
    }

    private init(channel: any Channel, requests: Requests) {
        self.channel = channel
        self.requests = requests
    }

    static func with<R>(_ answer: String, then ending: Ending = .keepOpen, _ body: (CannedServer) async throws -> R)
        async throws -> R
    {
        try await with(Array(answer.utf8), then: ending, body)
    }

    static func with<R>(_ answer: [UInt8], then ending: Ending = .keepOpen, _ body: (CannedServer) async throws -> R)
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

    var port: Int { channel.localAddress?.port ?? 0 }
    var url: String { "http://127.0.0.1:\(port)" }
    var connections: Int { requests.connections.withLock { $0.opened } }
    var received: [String] { requests.texts.withLock { $0.map(\.text) } }
    var receivedBytes: Int { requests.bytes.withLock { $0 } }
    /// False before the first connection, and when the last one is closed.
    var isConnected: Bool { requests.connections.withLock { $0.opened > $0.closed } }

    /// The methods of the requests on each connection that had any, in the order in which the connections came.
    var methodsByConnection: [[String]] {
        let texts = requests.texts.withLock { $0 }
        return Dictionary(grouping: texts, by: \.connection).sorted { $0.key < $1.key }
            .map { $0.value.map { String($0.text.prefix { $0 != " " }) } }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        let answer: [UInt8]
        let ending: Ending
        let requests: Requests
        private var connection = 0
        private var text = ""
        private var count = 0

        init(answer: [UInt8], ending: Ending, requests: Requests) {
            self.answer = answer
            self.ending = ending
            self.requests = requests
        }

        func channelActive(context: ChannelHandlerContext) {
            connection = requests.open()
            switch ending {
            case .hangUp: context.close(mode: .output, promise: nil)
            case .greet: context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
            case .keepOpen, .close, .closeSecond: break
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            requests.connections.withLock { $0.closed += 1 }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            requests.bytes.withLock { $0 += bytes.readableBytes }
            text += String(buffer: bytes)
            guard isWhole else { return }
            requests.texts.withLock { $0.append((connection, text)) }
            text = ""
            count += 1
            if ending == .closeSecond, count > 1 { return context.close(promise: nil) }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
            if ending == .close { context.close(promise: nil) }
        }

        private var isWhole: Bool {
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return false }
            let length = parts[0].split(separator: "\r\n").lazy.map { $0.lowercased() }
                .first { $0.hasPrefix("content-length:") }.flatMap { Int($0.dropFirst(15).drop { $0 == " " }) }
            return parts[1].utf8.count >= length ?? 0
        }
    }
}
