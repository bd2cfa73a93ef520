import ActionsAPI
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// Looks at a certificate that was not trusted, to say what is wrong with it: once, in a handshake that accepts any
/// certificate, and on a connection over which nothing else is ever sent.
final class CertificateProbe: Sendable {
    private let host: String
    private let port: Int
    private let patience: Duration
    private let sleep: @Sendable (Duration) async throws -> Void
    private let probe = Mutex<Task<String?, Never>?>(nil)

    /// - Parameter patience: how long the one look may take.
    init(
        host: String, port: Int, patience: Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.host = host
        self.port = port
        self.patience = patience
        self.sleep = sleep
    }

    /// Every call returns what the first one found out, or that it found out nothing in time.
    ///
    /// - Returns: for people; nil if it is not the certificate's dates, or if it could not be had.
    /// - Throws: `CancellationError`, without waiting for the probe.
    func complaint() async throws -> String? {
        let probe = probe.withLock { probe in
            if let probe { return probe }
            let new = Task { [host, port, patience, sleep] in
                await Self.first(
                    of: { await Self.complaint(of: host, port: port, patience: patience) },
                    before: { try await sleep(patience) }) ?? nil
            }
            probe = new
            return new
        }
        let complaint = await Self.first(of: { await probe.value })
        try Task.checkCancellation()
        return complaint ?? nil
    }

    /// - Parameter end: returns when the time is over.
    /// - Returns: nil if the time is over, or the task cancelled, before there is a value.
    private static func first<Value: Sendable>(
        of value: @escaping @Sendable () async -> Value, before end: (@Sendable () async throws -> Void)? = nil
    ) async -> Value? {
        let (values, continuation) = AsyncStream<Value>.makeStream()
        let work = Task {
            continuation.yield(await value())
            continuation.finish()
        }
        let timer = end.map { end in
            Task {
                try? await end()
                continuation.finish()
            }
        }
        defer {
            work.cancel()
            timer?.cancel()
        }
        return await values.first { _ in true }
    }

    private static func complaint(of host: String, port: Int, patience: Duration) async -> String? {
        guard let certificate = try? await certificate(of: host, port: port, patience: patience) else { return nil }
        let now = Date()
        let (begin, end) = (
            Date(timeIntervalSince1970: TimeInterval(certificate.notValidBefore)),
            Date(timeIntervalSince1970: TimeInterval(certificate.notValidAfter))
        )
        if now > end { return "the server's certificate expired at \(end.formatted(.iso8601))" }
        if now < begin {
            return
                "the server's certificate is not valid before \(begin.formatted(.iso8601)); check this machine's clock"
        }
        return nil
    }

    private static func certificate(
        of host: String, port: Int, patience: Duration
    ) async throws -> NIOSSLCertificate? {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        let context = try NIOSSLContext(configuration: configuration)
        let name = (try? SocketAddress(ipAddress: host, port: port)) == nil ? host : nil
        let patience = TimeAmount.nanoseconds(patience.nanoseconds)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let shaken = loop.makePromise(of: Void.self)
        let timer = loop.scheduleTask(in: patience) { shaken.fail(ChannelError.connectTimeout(patience)) }
        defer { timer.cancel() }
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop).connectTimeout(patience)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: name))
                        try channel.pipeline.syncOperations.addHandler(Watcher(shaken))
                    }
                }
                .connect(host: host, port: port).get()
        } catch {
            shaken.fail(error)
            _ = try? await shaken.futureResult.get()
            throw error
        }
        defer { channel.close(promise: nil) }
        try await shaken.futureResult.get()
        return try await channel.nioSSL_peerCertificate().get()
    }

    private final class Watcher: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let shaken: EventLoopPromise<Void>

        init(_ shaken: EventLoopPromise<Void>) { self.shaken = shaken }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .handshakeCompleted? = event as? TLSUserEvent { shaken.succeed() }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { shaken.fail(error) }

        func channelInactive(context: ChannelHandlerContext) { shaken.fail(ChannelError.eof) }
    }
}
