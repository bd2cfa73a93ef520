import ActionsAPI
import Synchronization

/// Tracks whether a POST may have left, which decides whether it may be sent again after a failure.
///
/// Errors are not proof. An ICMP message can end even an established connection with "connection refused", and
/// a failed TLS handshake looks like any other broken connection. The body does: AsyncHTTPClient (1.37) asks for its
/// bytes when it has just written the head to a connection that is there, TLS included, and never before. Until then no
/// server can have received a whole request.
struct Departure: Sendable {
    private final class Flag: Sendable {
        let isRaised = Atomic(false)
    }

    private let flag = Flag()

    /// The same bytes; reading them raises the flag. Without any there is nothing to read, and the request
    /// counts as gone at once.
    func watching(_ bytes: [UInt8]) -> some RandomAccessCollection<UInt8> & Sendable {
        if bytes.isEmpty { note() }
        return Watched(bytes: bytes, departure: self)
    }

    /// The error with the kind that the departure makes certain. Only after the request has ended.
    func judged(_ error: any Error) -> any Error {
        if error is CancellationError, !mayHaveLeft { return CancelledBeforeDeparture() }
        guard var error = error as? TransportError else { return error }
        switch (mayHaveLeft, error.kind) {
        case (true, .notConnected): error.kind = .connectionLost
        case (false, .connectionLost), (false, .timedOut), (false, .bodyTooLarge):
            error.kind = .notConnected
            error.reason = "nothing was sent: \(error.reason)"
        case (true, .connectionLost), (true, .timedOut), (true, .bodyTooLarge), (false, .notConnected): break
        }
        return error
    }

    var mayHaveLeft: Bool { flag.isRaised.load(ordering: .sequentiallyConsistent) }

    private func note() { flag.isRaised.store(true, ordering: .sequentiallyConsistent) }

    private struct Watched: RandomAccessCollection, Sendable {
        let bytes: [UInt8]
        let departure: Departure

        var startIndex: Int { bytes.startIndex }
        var endIndex: Int { bytes.endIndex }

        subscript(position: Int) -> UInt8 {
            departure.note()
            return bytes[position]
        }

        func withContiguousStorageIfAvailable<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R? {
            departure.note()
            return try bytes.withContiguousStorageIfAvailable(body)
        }
    }
}
