import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

@testable import stored_actions_sandbox

/// A sandbox on a free port, with a clock that stands still and pauses that only are written down.
struct RunningSandbox: Sendable {
    let port: Int
    let time: HandTime

    /// An answer as it came over the wire.
    struct Reply: Sendable {
        /// nil when the connection closed without an answer.
        let status: Int?
        let headers: [String: String]
        let body: String

        var json: NSDictionary? {
            (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? NSDictionary
        }

        /// Whether all of the body came that the head promised.
        var isWhole: Bool { headers["content-length"] == String(body.utf8.count) }
    }

    static func with(
        _ settings: Settings = Settings(), sleep: (@Sendable (Duration) async throws -> Void)? = nil,
        _ operation: @Sendable (RunningSandbox) async throws -> Void
    ) async throws {
        let time = HandTime()
        let server = SandboxServer(
            state: SandboxState(settings), now: { time.now }, sleep: sleep ?? { time.pauses($0) })
        var logger = Logger(label: "tests")
        logger.logLevel = .critical
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let service = try server.service(host: "127.0.0.1", port: 0, logger: logger) { listening.yield($0) }
        let group = ServiceGroup(configuration: .init(services: [service], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            guard let port = await ports.first(where: { _ in true }) else { return }
            do {
                try await operation(RunningSandbox(port: port, time: time))
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
        }
    }

    func get(_ path: String, token: String? = "sandbox-token", _ headers: String...) async throws -> Reply {
        try await send("GET", path, headers: headers + (token.map { ["Authorization: Bearer \($0)"] } ?? []))
    }

    func run(_ id: CodedID, _ headers: String...) async throws -> Reply {
        let action = ActionKind.read.id(1)
        return try await send(
            "GET", Route.path(action: action, run: id), headers: headers + ["Authorization: Bearer sandbox-token"])
    }

    func post(_ path: String, _ body: String, _ headers: String...) async throws -> Reply {
        try await send("POST", path, headers: headers, body: body)
    }

    /// One request on a connection of its own, read until the server closes it.
    func send(_ method: String, _ path: String, headers: [String] = [], body: String = "") async throws -> Reply {
        let lines = ["\(method) \(path) HTTP/1.1", "Host: sandbox", "Connection: close"] + headers
        let head = (lines + ["Content-Length: \(body.utf8.count)", "", ""]).joined(separator: "\r\n")
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let received = try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: head + body))
            var all = ByteBuffer()
            for try await part in inbound { all.writeImmutableBuffer(part) }
            return String(buffer: all)
        }
        return Self.parsed(received)
    }

    private static func parsed(_ text: String) -> Reply {
        guard let end = text.range(of: "\r\n\r\n") else { return Reply(status: nil, headers: [:], body: "") }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return Reply(status: status, headers: headers, body: String(text[end.upperBound...]))
    }
}

/// A clock that moves by hand, at first 2026-11-20T09:30:00.25Z.
final class HandTime: Sendable {
    private let state = Mutex((now: Date(timeIntervalSince1970: 1_795_167_000.25), pauses: [Duration]()))

    var now: Date { state.withLock { $0.now } }
    var pauses: [Duration] { state.withLock { $0.pauses } }

    func advance(by seconds: TimeInterval) { state.withLock { $0.now += seconds } }
    func pauses(_ duration: Duration) { state.withLock { $0.pauses.append(duration) } }
}
