import Foundation
import Synchronization

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
        /// So many requests get no answer before the first that does.
        var silences = 0
        /// The parts are members of a gzip each.
        var isGzip = false

        init(status: Int = 200, body: [UInt8]) { self.init(status: status, parts: [Part(bytes: body)]) }

        init(status: Int = 200, parts: [Part]) {
            self.status = status
            self.parts = parts
        }
    }

    /// What happened to a request for a run.
    enum Event: Sendable, Equatable {
        case asked(String)
        case answered(String)
    }

    let url: String
    private let listener: Int32
    private let events = Mutex<[Event]>([])
    private let answers: [String: Answer]

    /// What has happened so far, in order.
    var log: [Event] { events.withLock { $0 } }

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
                let path = request.text.split(separator: " ", maxSplits: 2).dropFirst().first ?? ""
                let run = String(path.suffix(36))
                let answer = answers[run] ?? Answer(status: 500, body: [])
                let asked = events.withLock { events in
                    events.append(.asked(run))
                    return events.count { $0 == .asked(run) }
                }
                guard asked > answer.silences else { continue }
                // Before the last byte: as soon as that is there, the next request may be.
                events.withLock { $0.append(.answered(run)) }
                guard send(answer, to: client) else { return }
            }
        }
    }

    /// - Returns: false when the client is gone.
    private func send(_ answer: Answer, to client: Int32) -> Bool {
        let length = answer.parts.reduce(0) { $0 + $1.bytes.count * $1.times }
        let head =
            "HTTP/1.1 \(answer.status) Planned\r\nContent-Type: application/json\r\nContent-Length: \(length)\r\n"
            + (answer.isGzip ? "Content-Encoding: gzip\r\n\r\n" : "\r\n")
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
