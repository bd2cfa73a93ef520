import ActionsAPI
import AsyncHTTPClient
import Foundation
import HTTPTypes
import NIOHTTP1
import NIOSSL

/// `Transport` over AsyncHTTPClient.
package struct HTTPTransport: Transport {
    private let pooled: HTTPClient
    private let fresh: HTTPClient
    private let baseURL: String
    private let pool: PoolWatch
    private let failures: TransportFailure
    private let room: BodyRoom
    private let userAgent: String
    private let stallWatch: @Sendable (_ isInLine: Bool) -> StallWatch
    private let wheel: StallWheel

    /// Runs `body` with a transport whose connections are closed when it returns.
    ///
    /// GETs share a pool of connections, every POST has one of its own: the far side, or a balancer before it, may
    /// close an idle connection in the moment in which it is used again, and then it is unknown whether a POST got
    /// through.
    ///
    /// - Parameters:
    ///   - baseURL: scheme, host and perhaps port and path prefix, without a slash at its end.
    ///   - route: how to get there.
    ///   - connections: how many may be open at once to the host, for GETs and for POSTs each; each carries one
    ///     HTTP/1.1 request at a time.
    ///   - clock: measures how long an answer makes no progress; limits of connections are the network library's own.
    package static func withTransport<R>(
        baseURL: String, route: HTTPRoute = HTTPRoute(), connections: Int, limits: TransportLimits = TransportLimits(),
        room: BodyRoom, userAgent: String, clock: some Clock<Duration> = ContinuousClock(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (HTTPTransport) async throws -> R
    ) async throws -> R {
        var configuration = HTTPClient.Configuration(route)
        // A redirect could carry the token, or repeat a POST (307, 308), to an unintended host.
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .nanoseconds(limits.connect.nanoseconds)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        // Retries live in one place, and it is not this one.
        configuration.connectionPool.retryConnectionEstablishment = false
        // Its decompressor unpacks whatever it has read before the memory budget is consulted.
        configuration.decompression = .disabled
        // Nothing collects the spans that it would make for each request.
        configuration.tracing.tracer = nil
        var ofPosts = configuration
        // HTTP/2 would send many over one connection; HTTP/1.1 obeys `Connection: close`.
        ofPosts.httpVersion = .http1Only
        // One that was made for a POST that was cancelled meanwhile waits for no other.
        ofPosts.connectionPool.idleTimeout = .zero
        let pool = PoolWatch()
        configuration.follow(by: pool)
        return try await HTTPClient.withHTTPClient(configuration: configuration) { pooled in
            try await HTTPClient.withHTTPClient(configuration: ofPosts) { fresh in
                let wheel = StallWheel()
                let turning = Task { await wheel.turn(by: clock) }
                defer { turning.cancel() }
                return try await body(
                    HTTPTransport(
                        pooled: pooled, fresh: fresh, baseURL: baseURL, pool: pool,
                        failures: TransportFailure(proxy: route.proxy, limits: limits), room: room,
                        userAgent: userAgent,
                        stallWatch: { StallWatch(clock: clock, limits: limits, isInLine: $0) }, wheel: wheel))
            }
        }
    }

    package func send(
        _ request: APIRequest, onHead: @escaping @Sendable (APIResponse) -> Void
    ) async throws -> APIResponse {
        let watch = stallWatch(request.method == .get)
        do {
            var response =
                switch request.method {
                case .get: try await get(request, watch: watch, onHead)
                case .post: try await post(request, watch: watch, onHead)
                }
            response.resent = watch.resent
            return response
        } catch var error as TransportError {
            error.resent = watch.resent
            throw error
        }
    }

    /// Sends a GET, again at once where nothing but its connection failed.
    private func get(
        _ request: APIRequest, watch: StallWatch, _ onHead: @escaping @Sendable (APIResponse) -> Void
    ) async throws -> APIResponse {
        let number = pool.enter { watch.left() }
        defer { pool.leave(number) }
        var message = try message(request)
        message.headers.add(name: PoolWatch.header, value: "\(number)")
        var resends = Resends()
        while true {
            do {
                return try await answer(to: message, from: pooled, collector(watch, onHead), watch: watch)
            } catch {
                // AsyncHTTPClient throws the same where a connection was closing, not only on cancellation.
                try Task.checkCancellation()
                let stage = pool.stage(of: number)
                let error = error is TransportError ? error : pool.breakage(of: number) ?? error
                let isDue = resends.isDue(
                    after: error, at: stage, isServing: pool.isServing,
                    isGoingAway: pool.isConnectionGoingAway(of: number))
                guard isDue else { throw failures.error(error, at: stage) }
                pool.returnToLine(number)
                watch.returnedToLine(hasLeft: stage != .inLine)
            }
        }
    }

    private func post(
        _ request: APIRequest, watch: StallWatch, _ onHead: @escaping @Sendable (APIResponse) -> Void
    ) async throws -> APIResponse {
        let departure = Departure()
        var message = try message(request)
        message.body = .bytes(departure.watching(request.body ?? []))
        message.headers.add(name: "Connection", value: "close")
        let collector = collector(watch, onHead)
        do {
            return try await answer(to: message, from: fresh, collector, watch: watch)
        } catch {
            // The exchange has ended, so nothing is being sent.
            let sent = departure.mayHaveLeft ? RequestStage.sent(isReused: false) : .inLine
            throw departure.judged(failures.error(error, at: collector.hasHead ? .answered : sent))
        }
    }

    private func message(_ request: APIRequest) throws -> HTTPClient.Request {
        var message: HTTPClient.Request
        do {
            message = try HTTPClient.Request(
                url: baseURL + request.path, method: HTTPMethod(rawValue: request.method.rawValue))
        } catch {
            throw failures.error(error, at: .inLine)
        }
        message.headers.add(name: "User-Agent", value: userAgent)
        message.headers.add(name: "Accept", value: "application/json")
        message.headers.add(name: "Accept-Encoding", value: "gzip, deflate")
        for field in request.headers { message.headers.add(name: field.name.rawName, value: field.value) }
        return message
    }

    private func collector(
        _ watch: StallWatch, _ onHead: @escaping @Sendable (APIResponse) -> Void
    ) -> AnswerCollector {
        AnswerCollector(watch: watch, lease: room.lease(), largestBody: failures.limits.body, onHead: onHead)
    }

    private func answer(
        to message: HTTPClient.Request, from client: HTTPClient, _ collector: AnswerCollector, watch: StallWatch
    ) async throws -> APIResponse {
        wheel.add(watch) { collector.fail($0) }
        defer { wheel.remove(watch) }
        return try await collector.answer(to: message, from: client)
    }
}
