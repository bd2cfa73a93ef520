import JSONText

/// A text breaks off the format's grammar: nothing further can be read of it.
struct ManifestSyntaxFault: Error, Equatable {
    var line: Int
    var column: Int
    var offset: Int
    var reason: String
}

/// Cuts a stream of JSON into values small enough to hold: it descends into the containers that it is asked to, and
/// hands over the rest as whole, validated values.
struct JSONCutter {
    /// A value cut out of the text.
    enum Piece {
        case value(JSONValue)
        /// Skipped, as it has more bytes than the limit.
        case tooLarge
    }

    private var stream: ByteStream
    private let pieceLimit: Int

    init(_ stream: ByteStream, pieceLimit: Int) {
        self.stream = stream
        self.pieceLimit = pieceLimit
    }

    /// Bytes before the next one.
    var offset: Int { stream.offset }

    /// The next byte that is not white space; nil at the end.
    mutating func peek() throws -> UInt8? {
        while let byte = try stream.peek() {
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            stream.skip()
        }
        return nil
    }

    /// Walks into the object that comes next. `body` gets each key and must consume the key's value.
    mutating func forEachMember(_ body: (inout JSONCutter, String) throws -> Void) throws {
        stream.skip()
        if try peek() == UInt8(ascii: "}") { return stream.skip() }
        while true {
            guard try require() == UInt8(ascii: "\"") else { throw fault("a key in double quotes is missing") }
            guard case .value(let key) = try readPiece() else { throw fault("the key before this is far too long") }
            guard try require() == UInt8(ascii: ":") else { throw fault("a colon is missing after a key") }
            stream.skip()
            try body(&self, key.string ?? "")
            let byte = try require()
            guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") else {
                throw fault("a comma or } is missing")
            }
            stream.skip()
            if byte == UInt8(ascii: "}") { return }
            _ = try require()
        }
    }

    /// Walks into the array that comes next. `body` gets each index and must consume the element.
    mutating func forEachElement(_ body: (inout JSONCutter, Int) throws -> Void) throws {
        stream.skip()
        if try peek() == UInt8(ascii: "]") { return stream.skip() }
        var index = 0
        while true {
            try body(&self, index)
            index += 1
            let byte = try require()
            guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") else {
                throw fault("a comma or ] is missing")
            }
            stream.skip()
            if byte == UInt8(ascii: "]") { return }
        }
    }

    /// The run that comes next, if it is in memory whole and of the ordinary form; else nothing is consumed.
    mutating func takePlainRun() throws -> PlainRun? {
        let limit = pieceLimit
        return try stream.takePrefix { bytes in
            var text = PlainText(bytes)
            guard let run = PlainRun(object: &text), text.position <= limit else { return nil }
            return (run, text.position)
        }
    }

    /// Cuts out the value that comes next.
    mutating func readPiece() throws -> Piece {
        let first = try require()
        // What starts no value is refused here, so that each piece has at least one byte.
        guard first < 0x80, !",:]}".utf8.contains(first) else { throw fault("a value is missing") }
        let start = (line: stream.line, column: stream.column, offset: stream.offset)
        var end = PieceEnd()
        var bytes: [UInt8] = []
        while let byte = try stream.peek(), !end.isBefore(byte) {
            if bytes.count < pieceLimit { bytes.append(byte) }
            stream.skip()
            if end.isAfter(byte) { break }
        }
        if stream.offset - start.offset > pieceLimit { return .tooLarge }
        do {
            return .value(try JSONValue(validating: bytes))
        } catch {
            let before = bytes.prefix(error.offset)
            let lines = before.count { $0 == 0x0A }
            let lastLine = before.lastIndex(of: 0x0A).map { error.offset - $0 } ?? start.column + error.offset
            throw ManifestSyntaxFault(
                line: start.line + lines, column: lastLine, offset: start.offset + error.offset, reason: error.reason)
        }
    }

    /// The next byte that is not white space.
    mutating func require() throws -> UInt8 {
        guard let byte = try peek() else { throw fault("the text ends before it is complete") }
        return byte
    }

    func fault(_ reason: String) -> ManifestSyntaxFault {
        ManifestSyntaxFault(line: stream.line, column: stream.column, offset: stream.offset, reason: reason)
    }
}

/// Finds where a value ends, from its bytes as they arrive; does not check whether it is valid.
private struct PieceEnd {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// Whether a scalar ended before this byte.
    func isBefore(_ byte: UInt8) -> Bool {
        guard depth == 0, !isInString else { return false }
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "]"), UInt8(ascii: "}"), 0x20, 0x0A, 0x0D, 0x09:
            return true
        default: return false
        }
    }

    /// Whether a string or a container ends with this byte.
    mutating func isAfter(_ byte: UInt8) -> Bool {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
                return depth == 0
            }
            return false
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            return depth == 0
        default: break
        }
        return false
    }
}
