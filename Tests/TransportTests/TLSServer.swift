import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Subprocess
import Synchronization

/// A server on loopback that speaks TLS with a certificate of the test's own, and answers every request with `{}`.
struct TLSServer: Sendable {
    enum Certificate: Sendable { case good, forAnotherHost, expired }

    struct NoCertificate: Error, CustomStringConvertible {
        let description: String
    }

    let port: Int
    /// Vouches for the server's certificate.
    let roots: String
    private let counter: Counter

    var url: String { "https://localhost:\(port)" }
    /// Bytes that came after a handshake.
    var bytesRead: Int { counter.bytes.withLock(\.self) }

    /// Connections that were made.
    var connections: Int { counter.connections.withLock(\.self) }

    private final class Counter: Sendable {
        let connections = Mutex(0)
        let bytes = Mutex(0)
    }

    static func with<R>(
        _ kind: Certificate, latest: TLSVersion? = nil, _ body: (TLSServer) async throws -> R
    ) async throws -> R {
        try await withConfiguration(kind) { configuration, roots in
            var configuration = configuration
            configuration.minimumTLSVersion = .tlsv1
            configuration.maximumTLSVersion = latest
            let context = try NIOSSLContext(configuration: configuration)
            let counter = Counter()
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    counter.connections.withLock { $0 += 1 }
                    return channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                        try channel.pipeline.syncOperations.addHandler(Handler(counter))
                    }
                }
                .bind(host: "localhost", port: 0).get()
            let server = TLSServer(port: channel.localAddress?.port ?? 0, roots: roots, counter: counter)
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

    /// Runs `body` with a server's TLS for such a certificate, and the path of the file that vouches for it.
    static func withConfiguration<R>(
        _ kind: Certificate, _ body: (TLSConfiguration, String) async throws -> R
    ) async throws -> R {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let certificate = try await make(kind, in: folder.path)
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: folder.path + "/key.pem", format: .pem)))
        return try await body(configuration, certificate)
    }

    private static func make(_ kind: Certificate, in folder: String) async throws -> String {
        let host = kind == .forAnotherHost ? "api.example.com" : "localhost"
        let (key, good, expired) = (folder + "/key.pem", folder + "/good.pem", folder + "/expired.pem")
        try await openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
            "-out", good, "-subj", "/CN=\(host)", "-addext", "subjectAltName=DNS:\(host)", "-days", "2")
        guard kind == .expired else { return good }
        try await openssl("x509", "-in", good, "-signkey", key, "-days", "-1", "-out", expired)
        return expired
    }

    private static func openssl(_ arguments: String...) async throws {
        let result = try await Subprocess.run(
            .name("openssl"), arguments: Arguments(arguments), output: .discarded, error: .string(limit: 1 << 16))
        guard case .exited(0) = result.terminationStatus else {
            throw NoCertificate(description: "openssl \(arguments): \(result.standardError)")
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let counter: Counter

        init(_ counter: Counter) { self.counter = counter }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            counter.bytes.withLock { $0 += bytes.readableBytes }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
