import ActionsAPI
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL

/// What AsyncHTTPClient and NIO throw, in our terms. Messages are written here rather than taken over: theirs may hold
/// addresses or parts of a header, and name types that mean nothing to an operator.
struct TransportFailure: Sendable {
    let proxy: ProxyServer?
    let limits: TransportLimits

    /// - Returns: a `TransportError`, or the `CancellationError` that it was.
    func error(_ error: any Error, at stage: RequestStage) -> any Error {
        if error is CancellationError || error is TransportError { return error }
        var failure = failure(error, at: stage)
        failure.answerBegan = stage == .answered
        return failure
    }

    private func failure(_ error: any Error, at stage: RequestStage) -> TransportError {
        switch error {
        case let error as HTTPClientError: return failure(error, at: stage)
        case let error as NIOSSLError where stage == .inLine: return notConnected(tls: TLSFailure.reason(error))
        case let error as NIOSSLExtraError where stage == .inLine: return notConnected(tls: TLSFailure.reason(error))
        case NIOSSLError.uncleanShutdown:
            return TransportError(.connectionLost, "the connection was closed before the answer was complete")
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.first.map { Self.cause($0.error) }
            return TransportError(
                .notConnected, "no connection to \(peer): \(cause ?? "its host name does not resolve")")
        case let error as IOError where stage != .answered && error.errnoCode == ECONNREFUSED:
            return TransportError(.notConnected, "no connection to \(peer): connection refused")
        case is IOError where stage == .inLine && proxy != nil: return closedByProxy
        case let error as IOError:
            return TransportError(
                .connectionLost, "the connection broke: \(String(cString: strerror(error.errnoCode)))")
        case let error as HTTPParserError: return failure(error)
        case let error as NIOHTTP2Errors.StreamError: return failure(error.baseError, at: stage)
        case let error as NIOHTTP2Errors.StreamClosed where error.errorCode == .refusedStream:
            return TransportError(.connectionLost, "the server refused the request (HTTP/2 REFUSED_STREAM)")
        case let error as NIOHTTP2Errors.StreamClosed:
            return TransportError(
                .connectionLost, "the server reset the request (HTTP/2 error \(error.errorCode.networkCode))")
        case is NIOHTTP2Errors.ExcessivelyLargeHeaderBlock, is NIOHPACKErrors.MaxHeaderListSizeViolation:
            return TransportError(
                .connectionLost,
                "the answer's head is too large: its headers are over \(HPACKDecoder.defaultMaxHeaderListSize >> 10) KiB"
            )
        // NIO says no more than this of headers that are too many once they are decompressed.
        case is NIOHTTP2Errors.UnableToParseFrame:
            return TransportError(
                .connectionLost,
                "the answer is not valid HTTP/2, or its headers are over \(HPACKDecoder.defaultMaxHeaderListSize >> 10) KiB"
            )
        case is any NIOHTTP2Error, is any NIOHPACKError:
            return TransportError(.connectionLost, "the server violated the HTTP/2 protocol")
        case _ where stage == .inLine && proxy != nil:
            // Such as a page in answer to CONNECT.
            return TransportError(.notConnected, "\(peer) would not connect: check its address")
        default: return TransportError(.connectionLost, "the connection was lost")
        }
    }

    private func failure(_ error: HTTPClientError, at stage: RequestStage) -> TransportError {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout:
            return TransportError(
                .notConnected, "no connection to \(peer) within \(limits.connect.components.seconds) s")
        case .proxyAuthenticationRequired:
            return TransportError(
                .notConnected, "\(peer) requires a user and a password; add them to the proxy URL")
        case .invalidProxyResponse:
            return TransportError(
                .notConnected,
                "the proxy would not connect: is its address right\(proxy.map { " (\($0))" } ?? ""), and does it allow "
                    + "this?")
        case .httpProxyHandshakeTimeout: return TransportError(.notConnected, "\(peer) did not answer in time")
        case .tlsHandshakeTimeout: return notConnected(tls: "the TLS handshake took too long")
        case .remoteConnectionClosed where stage == .inLine && proxy != nil: return closedByProxy
        case .remoteConnectionClosed, .uncleanShutdown, .cancelled:
            return TransportError(.connectionLost, "the connection was closed before the answer was complete")
        case .readTimeout, .writeTimeout, .deadlineExceeded: return TransportError(.timedOut, "no answer in time")
        default: return TransportError(.connectionLost, "the exchange failed: \(error.shortDescription)")
        }
    }

    private func failure(_ error: HTTPParserError) -> TransportError {
        switch error {
        case .headerOverflow:
            let most = NIOHTTPDecoderLimitConfiguration()
            return TransportError(
                .connectionLost,
                "the answer's head is too large: a header over \(most.maxHeaderFieldSize >> 10) KiB, or over "
                    + "\(most.maxHeaderFieldCount) headers")
        case .invalidEOFState, .closedConnection:
            return TransportError(.connectionLost, "the connection was closed before the answer was complete")
        case .invalidContentLength, .unexpectedContentLength:
            return TransportError(.connectionLost, "the answer's Content-Length is not valid")
        case .invalidChunkSize: return TransportError(.connectionLost, "the answer's chunks are not valid HTTP")
        default:
            return TransportError(.connectionLost, "what came is not an HTTP answer")
        }
    }

    private func notConnected(tls reason: String) -> TransportError {
        TransportError(.notConnected, proxy.map { "\(reason) (through the proxy \($0))" } ?? reason)
    }

    private var closedByProxy: TransportError {
        TransportError(.notConnected, "\(peer) closed the connection, or does not speak HTTP: check its address")
    }

    /// The host we connect to.
    private var peer: String { proxy.map { "the proxy \($0)" } ?? "the API" }

    private static func cause(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)).lowercased() }
        if case .connectTimeout = error as? ChannelError { return "it took too long" }
        return "the connection was lost"
    }
}
