import Glibc

/// A blocking connection to the answer server, which reads an answer and drops its body.
final class HTTPConnection {
    private let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 16)

    init(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { [descriptor] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { fail("the answer server cannot be reached") }
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    func send(path: String) {
        let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n"
        guard write(descriptor, request, request.utf8.count) == request.utf8.count else {
            fail("the answer server closed the connection")
        }
    }

    /// - Returns: the beginning of the answer's body, as far as it came with the head.
    @discardableResult
    func receive() -> String {
        var count = 0
        var head = ""
        while true {
            count += more(from: count)
            head = String(decoding: buffer[..<min(count, 2048)], as: UTF8.self)
            if head.contains("\r\n\r\n") { break }
        }
        guard let end = head.firstRange(of: "\r\n\r\n"), let length = head.firstRange(of: "Content-Length: "),
            let bytes = Int(head[length.upperBound...].prefix { $0.isNumber })
        else { fail("the answer server's answer has no length") }
        var missing = head[..<end.upperBound].utf8.count + bytes - count
        while missing > 0 { missing -= more(from: 0) }
        return String(head[end.upperBound...])
    }

    private func more(from position: Int) -> Int {
        let count = read(descriptor, buffer.baseAddress! + position, buffer.count - position)
        guard count > 0 else { fail("the answer server closed the connection") }
        return count
    }
}
