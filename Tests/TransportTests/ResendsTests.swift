import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOSSL
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("Whether a GET goes out again at once")
struct ResendsTests {
    private static let reused = RequestStage.sent(isReused: true)
    private static let new = RequestStage.sent(isReused: false)

    private func isDue(_ error: any Error, _ stage: RequestStage, isServing: Bool = false) -> Bool {
        var resends = Resends()
        return resends.isDue(after: error, at: stage, isServing: isServing)
    }

    private static let closures: [any Error & Sendable] = [
        HTTPClientError.remoteConnectionClosed, HTTPClientError.uncleanShutdown, NIOSSLError.uncleanShutdown,
        ChannelError.ioOnClosedChannel, ChannelError.eof, IOError(errnoCode: 104, reason: "reset"),
        IOError(errnoCode: 32, reason: "pipe"),
    ]

    @Test("A connection that ends without a byte is replaced only if it had answered before", arguments: closures)
    func closure(error: any Error & Sendable) {
        #expect(isDue(error, Self.reused))
        #expect(!isDue(error, Self.new))
        #expect(!isDue(error, .answered))
    }

    @Test("A request that came to a connection that was closing never left")
    func closing() {
        for error in [HTTPClientError.cancelled, ChannelError.ioOnClosedChannel] as [any Error] {
            #expect(isDue(error, .inLine))
        }
        #expect(!isDue(HTTPClientError.cancelled, Self.new))
        // A connection that was never made is no such thing.
        #expect(!isDue(HTTPClientError.remoteConnectionClosed, .inLine))
        #expect(!isDue(HTTPClientError.connectTimeout, .inLine))
    }

    @Test("What HTTP/2 refuses was not looked at; what it resets may have been")
    func streams() {
        let refused = NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .refusedStream)
        #expect(isDue(refused, Self.new))
        #expect(!isDue(refused, .answered))
        #expect(!isDue(NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .internalError), Self.reused))
        #expect(isDue(NIOHTTP2Errors.createdStreamAfterGoaway(), Self.new))
    }

    @Test("The line moves while others are served, and only then")
    func line() {
        #expect(isDue(HTTPClientError.getConnectionFromPoolTimeout, .inLine, isServing: true))
        #expect(!isDue(HTTPClientError.getConnectionFromPoolTimeout, .inLine, isServing: false))
        #expect(!isDue(HTTPClientError.getConnectionFromPoolTimeout, Self.reused, isServing: true))
    }

    @Test("An invalid answer, or one that comes too late, is a failure like any other")
    func others() {
        for error in [HTTPParserError.invalidVersion, HTTPClientError.readTimeout] as [any Error] {
            #expect(!isDue(error, Self.reused))
        }
    }

    @Test("Three times, and no more")
    func most() {
        var resends = Resends()
        let due = (1...5).map { _ in
            resends.isDue(after: HTTPClientError.remoteConnectionClosed, at: Self.reused, isServing: true)
        }
        #expect(due == [true, true, true, false, false])
    }

    @Test("A stream that is reset on a connection that goes on may have been read")
    func cancelled() {
        var resends = Resends()
        let reset = NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .cancel)
        #expect(resends.isDue(after: reset, at: Self.new, isServing: false) == false)
    }

    @Test("Twenty times where connections were closing")
    func mostWhileClosing() {
        var resends = Resends()
        let dropped = NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .cancel)
        let due = (1...21).map { _ in
            resends.isDue(after: dropped, at: Self.new, isServing: false, isGoingAway: true)
        }
        #expect(due == Array(repeating: true, count: 20) + [false])
        let isDue = resends.isDue(after: HTTPClientError.remoteConnectionClosed, at: Self.reused, isServing: false)
        #expect(isDue)
    }
}
