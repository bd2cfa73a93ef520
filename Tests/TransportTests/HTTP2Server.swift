import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// A server on loopback that speaks HTTP/2 over TLS and answers every request with `{}`, unless it is to misbehave.
final class HTTP2Server: Sendable {
    struct Behaviour: Sendable {
        /// Each connection ends with a GOAWAY after so many requests.
        var goAwayAfter: Int?
        /// The connection is closed along with it, whatever is under way.
        var closesAbruptly = false
        var maximumStreams = 100
        /// What becomes of a request, by its number from 1.
        var reaction: @Sendable (_ request: Int) -> Reaction = { _ in .answer }
    }

    enum Reaction: Sendable {
        case answer
        /// None ever comes.
        case silence
        case reset(HTTP2ErrorCode)
        /// After the head and half of the body.
        case resetInBody(HTTP2ErrorCode)
        /// A body of so many bytes.
        case large(Int)
        /// A body that is shorter than its Content-Length says.
        case tooShort
        /// So many headers of 1,000 bytes each. They are the same, so that their compressed form fits into one frame.
        case headers(Int)
    }

    private struct Counts {
        var connections = 0
        var requests = 0
    }

    let port: Int
    /// Vouches for the server's certificate.
    let roots: String
    private let channel: any Channel
    private let log: Log

    private final class Log: Sendable {
        let counts = Mutex(Counts())

        func request() -> Int {
            counts.withLock {
                $0.requests += 1
                return $0.requests
            }
        }
    }

    var url: String { "https://localhost:\(port)" }
    var connections: Int { log.counts.withLock(\.connections) }
    /// Those that were read, answered or not.
    var requests: Int { log.counts.withLock(\.requests) }

    private init(channel: any Channel, roots: String, log: Log) {
        (self.channel, self.roots, self.log) = (channel, roots, log)
        port = channel.localAddress?.port ?? 0
    }

    static func with<R>(_ behaviour: Behaviour, _ body: (HTTP2Server) async throws -> R) async throws -> R {
        try await TLSServer.withConfiguration(.good) { configuration, roots in
            var configuration = configuration
            configuration.applicationProtocols = ["h2"]
            let context = try NIOSSLContext(configuration: configuration)
            let log = Log()
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    log.counts.withLock { $0.connections += 1 }
                    return channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                        var connection = NIOHTTP2Handler.ConnectionConfiguration()
                        connection.contentLengthValidation = .disabled
                        connection.initialSettings = [
                            HTTP2Setting(parameter: .maxConcurrentStreams, value: behaviour.maximumStreams)
                        ]
                        let seen = NIOLoopBoundBox(0, eventLoop: channel.eventLoop)
                        _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                            mode: .server, connectionConfiguration: connection, streamConfiguration: .init()
                        ) { stream in
                            stream.eventLoop.makeCompletedFuture {
                                try stream.pipeline.syncOperations.addHandler(
                                    StreamHandler(behaviour, log: log, seenOnConnection: seen))
                            }
                        }
                    }
                }
                .bind(host: "localhost", port: 0).get()
            let server = HTTP2Server(channel: channel, roots: roots, log: log)
            do {
                let result = try await body(server)
                try await channel.close()
                return result
            } catch {
                try? await channel.close()
                throw error
            }
        }
    }

    private final class StreamHandler: ChannelInboundHandler {
        typealias InboundIn = HTTP2Frame.FramePayload
        typealias OutboundOut = HTTP2Frame.FramePayload

        private let behaviour: Behaviour
        private let log: Log
        private let seenOnConnection: NIOLoopBoundBox<Int>

        init(_ behaviour: Behaviour, log: Log, seenOnConnection: NIOLoopBoundBox<Int>) {
            (self.behaviour, self.log, self.seenOnConnection) = (behaviour, log, seenOnConnection)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .headers = unwrapInboundIn(data) else { return }
            seenOnConnection.value += 1
            let isLast = seenOnConnection.value == behaviour.goAwayAfter
            switch behaviour.reaction(log.request()) {
            case .answer: answer(context)
            case .silence: break
            case .reset(let code): write(.rstStream(code), context)
            case .resetInBody(let code):
                write(.headers(.init(headers: [":status": "200"])), context)
                write(.data(.init(data: .byteBuffer(ByteBuffer(string: "{")))), context)
                write(.rstStream(code), context)
            case .large(let count):
                write(.headers(.init(headers: [":status": "200"])), context)
                let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: count)
                write(.data(.init(data: .byteBuffer(body), endStream: true)), context)
            case .tooShort:
                write(.headers(.init(headers: [":status": "200", "content-length": "3"])), context)
                write(.data(.init(data: .byteBuffer(ByteBuffer(string: "{}")), endStream: true)), context)
            case .headers(let count):
                var headers: HPACKHeaders = [":status": "200"]
                for _ in 0..<count { headers.add(name: "x", value: String(repeating: "x", count: 1000)) }
                write(.headers(.init(headers: headers, endStream: true)), context)
            }
            if isLast { goAway(context) }
        }

        private func answer(_ context: ChannelHandlerContext) {
            write(.headers(.init(headers: [":status": "200", "content-type": "application/json"])), context)
            write(.data(.init(data: .byteBuffer(ByteBuffer(string: "{}")), endStream: true)), context)
        }

        private func write(_ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(payload), promise: nil)
        }

        private func goAway(_ context: ChannelHandlerContext) {
            guard let connection = context.channel.parent,
                let last = try? context.channel.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID)
            else { return }
            let payload = HTTP2Frame.FramePayload.goAway(lastStreamID: last, errorCode: .noError, opaqueData: nil)
            connection.writeAndFlush(HTTP2Frame(streamID: .rootStream, payload: payload), promise: nil)
            if behaviour.closesAbruptly { connection.close(promise: nil) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
