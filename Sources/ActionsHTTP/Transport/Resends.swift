import ActionsAPI
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP2
import NIOSSL

/// Whether a GET that failed goes out again at once, which does not count as a retry: the failure was the connection's
/// alone.
///
/// | failure | while | meaning |
/// | --- | --- | --- |
/// | a connection that was closing | in line | the request reached it too late, and never left |
/// | no free connection | in line, while others are served | the server limits its streams: the line moves on |
/// | HTTP/2 `REFUSED_STREAM`, a GOAWAY | sent | the server says that it did not look at it (RFC 9113, 6.8 and 8.7) |
/// | the connection ended without a byte | sent, on a reused one | the far side closed it while it was idle |
///
/// Three times in all, or twenty where connections were closing, as nothing was asked of the server then; and as long
/// as the line moves. After that the failure counts as any other.
struct Resends: Sendable {
    private static let most = 3
    private static let mostWhileClosing = 20

    private var count = 0
    private var countWhileClosing = 0

    /// - Parameters:
    ///   - isServing: other requests are on connections.
    ///   - isGoingAway: the server has said that it closes the request's connection.
    mutating func isDue(
        after error: any Error, at stage: RequestStage, isServing: Bool, isGoingAway: Bool = false
    ) -> Bool {
        if (error as? HTTPClientError) == .getConnectionFromPoolTimeout { return stage == .inLine && isServing }
        if stage != .answered, Self.isClosing(error, at: stage, isGoingAway: isGoingAway) {
            countWhileClosing += 1
            return countWhileClosing <= Self.mostWhileClosing
        }
        guard stage != .answered, Self.isRefusal(error) || stage == .sent(isReused: true) && Self.isClosure(error)
        else {
            return false
        }
        count += 1
        return count <= Self.most
    }

    private static func isClosing(_ error: any Error, at stage: RequestStage, isGoingAway: Bool) -> Bool {
        switch error {
        // NIO (1.46) reports streams that a GOAWAY dropped as if each had been reset with CANCEL.
        case let error as NIOHTTP2Errors.StreamClosed: error.errorCode == .cancel && isGoingAway
        case is NIOHTTP2Errors.CreatedStreamAfterGoaway, is NIOHTTP2Errors.IOOnClosedConnection,
            is NIOHTTP2Errors.NoStreamIDAvailable:
            true
        default: stage == .inLine && ((error as? HTTPClientError) == .cancelled || isClosedChannel(error))
        }
    }

    private static func isRefusal(_ error: any Error) -> Bool {
        (error as? NIOHTTP2Errors.StreamClosed)?.errorCode == .refusedStream
    }

    private static func isClosedChannel(_ error: any Error) -> Bool {
        switch error as? ChannelError {
        case .ioOnClosedChannel, .alreadyClosed, .outputClosed, .inputClosed, .eof: true
        default: false
        }
    }

    private static func isClosure(_ error: any Error) -> Bool {
        if let error = error as? HTTPClientError { return [.remoteConnectionClosed, .uncleanShutdown].contains(error) }
        if let error = error as? IOError {
            return [ECONNRESET, ECONNABORTED, EPIPE, ENOTCONN].contains(error.errnoCode)
        }
        return (error as? NIOSSLError) == .uncleanShutdown || isClosedChannel(error)
    }
}
