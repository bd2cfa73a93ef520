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
        let departure = Departure()
        do {
            var response = try await wheel.watching(watch) {
                try await exchange(request, departure: departure, watch: watch, onHead)
            }
            response.resent = watch.resent
            return response
        } catch var error as TransportError {
            error.resent = watch.resent
            throw request.method == .post ? departure.judged(error) : error
        } catch {
            // The exchange has ended, so nothing is being sent.
            throw request.method == .post ? departure.judged(error) : error
        }
    }

    private func exchange(
        _ request: APIRequest, departure: Departure, watch: StallWatch, _ onHead: (APIResponse) -> Void
    ) async throws -> APIResponse {
        var message = HTTPClientRequest(url: baseURL + request.path)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        message.headers.add(name: "User-Agent", value: userAgent)
        message.headers.add(name: "Accept", value: "application/json")
        message.headers.add(name: "Accept-Encoding", value: "gzip, deflate")
        for field in request.headers { message.headers.add(name: field.name.rawName, value: field.value) }
        switch request.method {
        case .get:
            let number = pool.enter { watch.left() }
            defer { pool.leave(number) }
            message.headers.add(name: PoolWatch.header, value: "\(number)")
            return try await received(answer(to: message, number, watch: watch), watch: watch, onHead)
        case .post:
            message.body = .bytes(departure.watching(request.body ?? []))
            message.headers.add(name: "Connection", value: "close")
            let response: HTTPClientResponse
            do {
                response = try await fresh.execute(message, deadline: .distantFuture)
            } catch {
                throw try failure(error, at: departure.mayHaveLeft ? .sent(isReused: false) : .inLine)
            }
            return try await received(response, watch: watch, onHead)
        }
    }

    /// Sends a GET, again at once where nothing but its connection failed.
    private func answer(
        to message: HTTPClientRequest, _ number: PoolWatch.Number, watch: StallWatch
    ) async throws -> HTTPClientResponse {
        var resends = Resends()
        while true {
            do {
                return try await pooled.execute(message, deadline: .distantFuture)
            } catch {
                // AsyncHTTPClient throws the same where a connection was closing, not only on cancellation.
                try Task.checkCancellation()
                let stage = pool.stage(of: number)
                let error = pool.breakage(of: number) ?? error
                let isDue = resends.isDue(
                    after: error, at: stage, isServing: pool.isServing,
                    isGoingAway: pool.isConnectionGoingAway(of: number))
                guard isDue else { throw try failure(error, at: stage) }
                pool.returnToLine(number)
                watch.returnedToLine(hasLeft: stage != .inLine)
            }
        }
    }

    private func failure(_ error: any Error, at stage: RequestStage) throws -> any Error {
        if (error as? HTTPClientError) == .cancelled { try Task.checkCancellation() }
        return failures.error(error, at: stage)
    }

    private func received(
        _ response: HTTPClientResponse, watch: StallWatch, _ onHead: (APIResponse) -> Void
    ) async throws -> APIResponse {
        watch.moved()
        var answer = APIResponse(status: Int(response.status.code), headers: HTTPFields(received: response.headers))
        onHead(answer)
        answer.lease = room.lease()
        let coding = ContentCoding(answer.headers)
        if case .unknown(let name) = coding {
            answer.flaw =
                "has \(name.map { "the Content-Encoding \($0)" } ?? "an unknown Content-Encoding"), which was not asked for"
        }
        var decoder = BodyDecoder(coding)
        do {
            for try await chunk in response.body {
                watch.moved(chunk.readableBytes)
                decoder.feed(chunk)
                while let piece = try decoder.next() {
                    guard piece.count <= failures.limits.body - answer.body.count else { throw tooLarge }
                    try await watch.held { try await answer.lease?.grow(by: piece.count) }
                    answer.body.append(contentsOf: piece)
                }
            }
            // A cancelled body ends as if it were whole.
            try Task.checkCancellation()
            try decoder.finish()
        } catch let damage as BodyDecoder.Damage {
            answer.flaw = damage.reason
        } catch is BodyDecoder.TooDense {
            throw TransportError(
                .bodyTooLarge, "the answer unpacks to over \(BodyDecoder.mostDense) times its size", answerBegan: true)
        } catch {
            throw try failure(error, at: .answered)
        }
        return answer
    }

    private var tooLarge: TransportError {
        let limit = failures.limits.body
        return TransportError(
            .bodyTooLarge,
            "the answer is over the limit of \(limit >= 1 << 20 ? "\(limit >> 20) MiB" : "\(limit) bytes")",
            answerBegan: true)
    }
}
