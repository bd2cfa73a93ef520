import Support
import Foundation
import Synchronization

/// A TCP proxy before the server that does harm at a COMMIT or in a COPY: once for each fault it is given, in order.
final class FaultyProxy: Sendable {
    enum Fault {
        /// The server commits; its answer never arrives.
        case answerLost
        /// The server never hears of the COMMIT, nor that its client is gone.
        case commandLost
        /// The client of a COPY hears what PgBouncer says when its server has gone.
        case endedInCopy

        /// What a client sends when it is time.
        fileprivate var trigger: Data {
            switch self {
            // A simple query: `Q`, its length, the text, NUL.
            case .answerLost, .commandLost: Data([0x51, 0, 0, 0, 11] + Array("commit".utf8) + [0])
            case .endedInCopy: Data("PGCOPY\n".utf8)
            }
        }
    }

    struct SystemError: Error { let code = errno }

    let port: UInt16
    private let listener: Int32
    private let server: TestServer
    private let faults: Mutex<[Fault]>
    private let sockets = OpenSockets()

    init(before server: TestServer, faults: [Fault]) throws {
        self.server = server
        self.faults = Mutex(faults)
        (listener, port) = try Self.listen()
        sockets.add(listener)
        Thread.detachNewThread { [self] in acceptLoop() }
    }

    /// Ends every connection.
    func close() { sockets.close() }

    private func acceptLoop() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0, let upstream = try? Self.connect(to: server.port) else { return }
            sockets.add(client, upstream)
            let swallowsAnswer = Flag()
            Thread.detachNewThread { [self] in
                pump(from: client, to: upstream) { data in
                    switch nextFault(in: data) {
                    case nil:
                        return true
                    case .answerLost:
                        swallowsAnswer.set()
                        return true
                    case .commandLost:
                        shutdown(client, Int32(SHUT_RDWR))
                        return false
                    case .endedInCopy:
                        _ = ScriptedServer.send(
                            ScriptedServer.endOfSession("08P01", "server conn crashed?"), to: client)
                        shutdown(client, Int32(SHUT_RDWR))
                        return false
                    }
                }
            }
            Thread.detachNewThread { [self] in
                pump(from: upstream, to: client) { _ in
                    guard swallowsAnswer.isSet else { return true }
                    shutdown(client, Int32(SHUT_RDWR))
                    return false
                }
            }
        }
    }

    private func nextFault(in data: Data) -> Fault? {
        faults.withLock { faults in
            guard let next = faults.first, data.range(of: next.trigger) != nil else { return nil }
            return faults.removeFirst()
        }
    }

    /// Passes on what `permits`; ends without a word to `target` when it does not.
    private func pump(from source: Int32, to target: Int32, permits: (Data) -> Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            guard permits(Data(buffer[..<count])) else { return }
            var sent = 0
            while sent < count {
                let written = buffer[sent..<count].withUnsafeBytes {
                    send(target, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard written > 0 else { return }
                sent += written
            }
        }
        shutdown(target, Int32(SHUT_RDWR))
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
        func set() { value.store(true, ordering: .sequentiallyConsistent) }
    }
}

extension FaultyProxy {
    /// A socket that listens on a free port of 127.0.0.1, and that port.
    static func listen() throws -> (socket: Int32, port: UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && Glibc.listen(listener, 16) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else { throw SystemError() }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    private static func connect(to port: UInt16) throws -> Int32 {
        let upstream = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port: port)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(upstream, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw SystemError() }
        return upstream
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
