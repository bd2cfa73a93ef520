import CLibPQ
import Foundation
import Synchronization

/// What `PQcancel` needs; made once for a connection and used from any thread.
final class CancelHandle: Sendable {
    // PQcancel may be called from any thread, at any time, on a PGcancel that is not being freed (libpq, "Canceling
    // Queries in Progress"); it is freed when nothing holds this object.
    nonisolated(unsafe) private let raw: OpaquePointer?

    init(_ connection: OpaquePointer) {
        raw = PQgetCancel(connection)
    }

    deinit { PQfreeCancel(raw) }

    /// Blocks until the server has the request; errors do not matter, the caller tries again.
    func send() {
        var reason = [CChar](repeating: 0, count: 256)
        _ = PQcancel(raw, &reason, Int32(reason.count))
    }
}

/// The cancellation of one operation, by whichever thread.
///
/// A request that reaches the server before it has read the statement does nothing, so it is repeated until the
/// operation ends. When the server does not react at all, the socket is shut down, which ends libpq's blocking call.
final class OperationCancellation: Sendable {
    private enum State {
        case running
        case cancelled
        case ended
    }

    private static let repetition: DispatchTimeInterval = .milliseconds(100)
    private static let patience: DispatchTimeInterval = .seconds(2)

    private let state = Mutex(State.running)
    private let ended = DispatchSemaphore(value: 0)
    private let handle: CancelHandle
    private let socket: Int32

    init(_ handle: CancelHandle, socket: Int32) {
        self.handle = handle
        self.socket = socket
    }

    var isRequested: Bool { state.withLock { $0 == .cancelled } }

    func request() {
        let isNew = state.withLock { state in
            guard state == .running else { return false }
            state = .cancelled
            return true
        }
        guard isNew else { return }
        // On threads of their own: this may be called on one of Swift's pool, and PQcancel connects, which may take
        // as long as the network likes.
        DispatchQueue(label: "postgres.cancel").async { [self] in
            repeat { handle.send() } while ended.wait(timeout: .now() + Self.repetition) == .timedOut
        }
        DispatchQueue(label: "postgres.cancel.patience").asyncAfter(deadline: .now() + Self.patience) { [self] in
            // Under the lock, so that the descriptor is still the connection's.
            state.withLock { if $0 == .cancelled { _ = shutdown(socket, Int32(SHUT_RDWR)) } }
        }
    }

    /// To be called before the connection is used or closed by anybody else. Whether cancellation was requested.
    func end() -> Bool {
        let wasRequested = state.withLock { state in
            defer { state = .ended }
            return state == .cancelled
        }
        ended.signal()
        return wasRequested
    }
}
