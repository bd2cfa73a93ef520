import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The API behind an HTTP/1.1 server. It answers below Hummingbird's router, for it has to write `Date` itself (clocks
/// differ) and to drop connections in the middle of an answer.
struct SandboxServer: Sendable {
    let state: SandboxState
    var now: @Sendable () -> Date = { Date() }
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    /// The connection is to be closed as it is.
    private struct ConnectionDropped: Error {}

    /// - Parameters:
    ///   - port: 0 takes any free one.
    ///   - onListening: gets the port once connections are accepted.
    func service(
        host: String, port: Int, logger: Logger, onListening: @escaping @Sendable (Int) async -> Void
    ) throws -> any Service {
        try HTTPServerBuilder.http1().buildServer(
            configuration: ServerConfiguration(address: .hostname(host, port: port), backlog: 1024),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            responder: { request, writer, _ in try await respond(to: request, writer) },
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? port) }
        )
    }

    private func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
        let call = try await Call(request)
        if case .control(let control) = call.route {
            let settings = await state.settings
            let answer = await ControlAnswers(state: state).answer(to: control, body: call.body)
            return try await send(answer, head(for: answer, rate: nil, settings), writer) {}
        }
        let arrival = await state.arrive(
            call.route, method: call.method, path: call.path, token: call.bearerToken, at: now())
        do {
            let answer = await APIAnswers(state: state).answer(to: call, arrival, at: now())
            try await pause(answer.delay + arrival.extraLatency(for: call))
            try await send(answer, head(for: answer, rate: arrival.rate, arrival.settings), writer) {
                await state.leave(status: answer.status, final: answer.isFinal ? call.route.runKey : nil)
            }
        } catch let error as Departed {
            throw error.cause
        } catch {
            await state.leave(status: nil)
            throw error
        }
    }

    /// An error after the answer was counted.
    private struct Departed: Error {
        let cause: any Error
    }

    private func head(for answer: Answer, rate: RateWindow.Reading?, _ settings: Settings) -> HTTPResponse {
        let headers = ResponseHeaders(settings: settings, now: now())
        return HTTPResponse(
            status: .init(code: answer.status), headerFields: answer.headers + headers.all(for: answer, rate: rate))
    }

    /// Sends the answer; `leaving` runs just before the last bytes go out, so that a client that has read them and asks
    /// `/sandbox/stats` finds them counted.
    private func send(
        _ answer: Answer, _ head: HTTPResponse, _ writer: consuming ResponseWriter, leaving: () async -> Void
    ) async throws {
        if answer.delivery == .none { throw ConnectionDropped() }
        let body = answer.body
        if answer.delivery == .whole {
            await leaving()
            do {
                return try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
            } catch {
                throw Departed(cause: error)
            }
        }
        var bodyWriter: any ResponseBodyWriter = try await writer.writeHead(head)
        var sent = 0
        var hasLeft = false
        for piece in Self.pieces(of: body.count, answer.delivery) {
            if sent + piece.bytes == body.count {
                await leaving()
                hasLeft = true
            }
            do {
                try await bodyWriter.write(ByteBuffer(bytes: body[sent..<sent + piece.bytes]))
                sent += piece.bytes
                try await pause(piece.pause)
            } catch {
                throw hasLeft ? Departed(cause: error) : error
            }
        }
        if case .cut = answer.delivery {
            await leaving()
            throw Departed(cause: ConnectionDropped())
        }
        try await bodyWriter.finish(nil)
    }

    private static func pieces(of count: Int, _ delivery: Answer.Delivery) -> [(bytes: Int, pause: Duration)] {
        switch delivery {
        case .whole, .none: [(count, .zero)]
        case .cut(let after): [(min(after, count), .zero)]
        case .stall(let pause): [(count / 2, pause), (count - count / 2, .zero)]
        case .drip(let bytes, let pause):
            stride(from: 0, to: count, by: max(bytes, 1)).map { start in
                let size = min(max(bytes, 1), count - start)
                return (size, start + size == count ? .zero : pause)
            }
        }
    }

    private func pause(_ duration: Duration) async throws {
        if duration > .zero { try await sleep(duration) }
    }
}
