import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP2
import NIOSSL

/// Whether a GET that failed goes out again at once, which is no retry: the failure was the connection's alone.
///
/// | failure | while | meaning |
/// | --- | --- | --- |
/// | a connection that was closing | in line | the request reached it too late, and never left |
/// | no free connection | in line, while others are served | the server limits its streams: the line moves on |
/// | HTTP/2 `REFUSED_STREAM`, also by a GOAWAY | sent | the server says that it did not look at it (RFC 9113, 8.7) |
/// | the connection ended without a byte | sent, on a reused one | the far side closed it while it was idle |
///
/// So often in all, but for the line. After that the failure counts as any other.
struct Resends: Sendable {
    private static let most = 3

    private var count = 0

    /// - Parameter isServing: other requests are on connections.
    mutating func isDue(after error: any Error, at stage: RequestStage, isServing: Bool) -> Bool {
        if (error as? HTTPClientError) == .getConnectionFromPoolTimeout { return stage == .inLine && isServing }
        guard count < Self.most, Self.isConnectionsAlone(error, at: stage) else { return false }
        count += 1
        return true
    }

    private static func isConnectionsAlone(_ error: any Error, at stage: RequestStage) -> Bool {
        switch stage {
        case .answered: false
        case .inLine: isRefusal(error) || (error as? HTTPClientError) == .cancelled || isClosedChannel(error)
        case .sent(let isReused): isRefusal(error) || isReused && isClosure(error)
        }
    }

    private static func isRefusal(_ error: any Error) -> Bool {
        switch error {
        case let error as NIOHTTP2Errors.StreamClosed: error.errorCode == .refusedStream
        case is NIOHTTP2Errors.CreatedStreamAfterGoaway, is NIOHTTP2Errors.IOOnClosedConnection,
            is NIOHTTP2Errors.NoStreamIDAvailable:
            true
        default: false
        }
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
