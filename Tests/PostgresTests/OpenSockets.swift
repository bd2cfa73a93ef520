import Glibc
import Synchronization

/// The sockets of a server under test, which end together.
final class OpenSockets: Sendable {
    private let sockets = Mutex<[Int32]>([])

    func add(_ new: Int32...) { sockets.withLock { $0 += new } }

    func close() {
        sockets.withLock { sockets in
            for socket in sockets {
                shutdown(socket, Int32(SHUT_RDWR))
                Glibc.close(socket)
            }
            sockets = []
        }
    }
}
