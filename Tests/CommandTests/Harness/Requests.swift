extension Proxy {
    /// What a client and its server speak.
    enum Wire: Sendable {
        /// PostgreSQL's protocol, unencrypted.
        case postgres
        /// HTTP/1.1, its bodies counted by `Content-Length`.
        case http
    }

    /// Cuts what a client sends into its requests: the head and body of HTTP; a statement of PostgreSQL with all that
    /// belongs to it, or one chunk of a COPY.
    struct Requests {
        struct Request {
            let bytes: [UInt8]
            /// In lower case, up to some length.
            let text: String
        }

        private let wire: Wire
        private var buffer: [UInt8] = []
        /// The first message of a PostgreSQL connection has no type.
        private var isFirst = true

        init(_ wire: Wire) { self.wire = wire }

        mutating func append(_ bytes: [UInt8]) { buffer += bytes }

        /// nil while the next one is not complete.
        mutating func next() -> Request? {
            let length: Int? =
                switch wire {
                case .postgres: statementLength()
                case .http: httpLength()
                }
            guard let length, length > 0, length <= buffer.count else { return nil }
            let bytes = Array(buffer[..<length])
            buffer.removeFirst(length)
            isFirst = false
            let shown = bytes.prefix(4096).map { $0 == 0 ? UInt8(ascii: " ") : $0 }
            return Request(bytes: bytes, text: String(decoding: shown, as: UTF8.self).lowercased())
        }

        /// Parse, Bind, Describe, Execute up to Sync are one statement.
        private func statementLength() -> Int? {
            if isFirst { return messageLength(at: 0, typed: false) }
            var end = 0
            while let length = messageLength(at: end, typed: true), end + length <= buffer.count {
                let type = buffer[end]
                end += length
                if !"PBDECH".utf8.contains(type) { return end }
            }
            return nil
        }

        private func messageLength(at start: Int, typed: Bool) -> Int? {
            let first = typed ? start + 1 : start
            guard buffer.count >= first + 4 else { return nil }
            return buffer[first..<first + 4].reduce(0) { $0 << 8 | Int($1) } + (typed ? 1 : 0)
        }

        private func httpLength() -> Int? {
            let end = Array("\r\n\r\n".utf8)
            guard let head = buffer.firstRange(of: end)?.upperBound else { return nil }
            let lines = String(decoding: buffer[..<head], as: UTF8.self).lowercased().split(separator: "\r\n")
            let length = lines.first { $0.hasPrefix("content-length:") }?.split(separator: ":").last
            return head + (length.flatMap { Int($0.filter { $0 != " " }) } ?? 0)
        }
    }
}
