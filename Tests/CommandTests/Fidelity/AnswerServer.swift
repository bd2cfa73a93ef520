import Foundation

/// An Actions API on loopback that answers each run with bytes laid down before.
final class AnswerServer: Sendable {
    struct Answer: Sendable {
        var status = 200
        var body: [UInt8]
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
                guard Proxy.send(answer(to: request.text), to: client) else { return }
            }
        }
    }

    private func answer(to request: String) -> [UInt8] {
        let path = request.split(separator: " ", maxSplits: 2).dropFirst().first ?? ""
        let answer = answers[String(path.suffix(36))] ?? Answer(status: 500, body: [])
        let head =
            "HTTP/1.1 \(answer.status) Planned\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(answer.body.count)\r\n\r\n"
        return Array(head.utf8) + answer.body
    }
}
