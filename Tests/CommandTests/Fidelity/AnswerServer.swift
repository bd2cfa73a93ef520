import Foundation

/// An Actions API on loopback that answers each run with bytes laid down before.
final class AnswerServer: Sendable {
    struct Answer: Sendable {
        /// Bytes, and how often they are sent.
        struct Part: Sendable {
            var bytes: [UInt8]
            var times = 1
        }

        var status = 200
        var parts: [Part]

        init(status: Int = 200, body: [UInt8]) { self.init(status: status, parts: [Part(bytes: body)]) }

        init(status: Int = 200, parts: [Part]) {
            self.status = status
            self.parts = parts
        }
    }

    let url: String
    private let listener: Int32
    private let answers: [String: Answer]

    /// - Parameter answers: by the run's ID in lower case; 500 for all others.
    static func with<R>(_ answers: [String: Answer], _ body: (AnswerServer) async throws -> R) async throws -> R {
        let server = try AnswerServer(answers)
        defer { shutdown(server.listener, Int32(SHUT_RDWR)) }
        return try await body(server)
    }

    private init(_ answers: [String: Answer]) throws {
        self.answers = answers
        let (listener, port) = try Proxy.listen(on: 0)
        self.listener = listener
        url = "http://127.0.0.1:\(port)"
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { break }
                Thread.detachNewThread { [self] in
                    serve(client)
                    close(client)
                }
            }
            close(listener)
        }
    }

    private func serve(_ client: Int32) {
        var requests = Proxy.Requests(.http)
        while let bytes = Proxy.receive(from: client) {
            requests.append(bytes)
            while let request = requests.next() {
                guard send(answer(to: request.text), to: client) else { return }
            }
        }
    }

    private func answer(to request: String) -> Answer {
        let path = request.split(separator: " ", maxSplits: 2).dropFirst().first ?? ""
        return answers[String(path.suffix(36))] ?? Answer(status: 500, body: [])
    }

    /// - Returns: false when the client is gone.
    private func send(_ answer: Answer, to client: Int32) -> Bool {
        let length = answer.parts.reduce(0) { $0 + $1.bytes.count * $1.times }
        let head =
            "HTTP/1.1 \(answer.status) Planned\r\nContent-Type: application/json\r\nContent-Length: \(length)\r\n\r\n"
        // With the first bytes of the body, which would wait for the head's receipt otherwise.
        var unsent = Array(head.utf8)
        for part in answer.parts {
            for _ in 0..<part.times {
                unsent += part.bytes
                guard unsent.count >= 65_536 else { continue }
                guard Proxy.send(unsent, to: client) else { return false }
                unsent.removeAll(keepingCapacity: true)
            }
        }
        return Proxy.send(unsent, to: client)
    }
}
