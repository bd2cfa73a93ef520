import Glibc

/// A text read byte by byte out of chunks, with the count of its lines.
struct ByteStream {
    private let refill: () throws -> [UInt8]
    private var chunk: [UInt8] = []
    private var next = 0
    private var chunkOffset = 0
    private var lineOffset = 0
    private var isAtEnd = false

    /// The current line, counted from 1.
    private(set) var line = 1

    /// - Parameter refill: the next bytes; none at the end.
    init(refill: @escaping () throws -> [UInt8]) {
        self.refill = refill
    }

    /// Bytes before the next one.
    var offset: Int { chunkOffset + next }

    /// The next byte's place in its line, counted from 1 in bytes.
    var column: Int { offset - lineOffset + 1 }

    /// The next byte, which stays; nil at the end.
    @inline(__always)
    mutating func peek() throws -> UInt8? {
        if next == chunk.count { try load() }
        return next < chunk.count ? chunk[next] : nil
    }

    /// Consumes the byte that `peek` showed.
    @inline(__always)
    mutating func skip() {
        next += 1
        if chunk[next - 1] == 0x0A {
            line += 1
            lineOffset = offset
        }
    }

    /// Consumes that byte if it comes next.
    mutating func take(_ byte: UInt8) throws -> Bool {
        guard try peek() == byte else { return false }
        skip()
        return true
    }

    /// The bytes that come next, which stay: as many as asked for, fewer at the end.
    mutating func prefix(_ count: Int) throws -> [UInt8] {
        while chunk.count - next < count, !isAtEnd {
            let more = try refill()
            isAtEnd = more.isEmpty
            chunk += more
        }
        return Array(chunk[next...].prefix(count))
    }

    /// Consumes a UTF-8 byte order mark, which belongs to no line.
    mutating func skipByteOrderMark() throws {
        guard try prefix(3) == [0xEF, 0xBB, 0xBF] else { return }
        next += 3
        lineOffset = offset
    }

    /// Consumes as many bytes as are in memory, or come in at once; none at the end. Lines are not counted.
    mutating func takeChunk() throws -> [UInt8] {
        try load()
        defer { next = chunk.count }
        return Array(chunk[next...])
    }

    /// Consumes the lines that are in memory whole, and no longer than the limit, for as long as `take` returns true for
    /// a line. It gets the line without its line end, the line's number and the bytes before it. Nothing is copied, so
    /// the bytes are valid during the call only.
    @inline(__always)
    mutating func takeLines(
        limit: Int, _ take: (UnsafeRawBufferPointer, _ line: Int, _ offset: Int) throws -> Bool
    ) throws {
        guard try peek() != nil else { return }
        let chunk = chunk
        try chunk.withUnsafeBytes { bytes in
            while let feed = Self.lineFeed(in: bytes, from: next), feed - next <= limit {
                let end = feed > next && bytes[feed - 1] == UInt8(ascii: "\r") ? feed - 1 : feed
                guard try take(UnsafeRawBufferPointer(rebasing: bytes[next..<end]), line, offset) else { return }
                next = feed + 1
                line += 1
                lineOffset = offset
            }
        }
    }

    /// Offers the bytes that are in memory to `take`, which returns what it reads from their start with the number of
    /// bytes that it consumes; no line feed may be among these.
    mutating func takePrefix<Value>(
        _ take: (UnsafeRawBufferPointer) -> (value: Value, length: Int)?
    ) throws -> Value? {
        guard try peek() != nil else { return nil }
        let taken = chunk.withUnsafeBytes { take(UnsafeRawBufferPointer(rebasing: $0[next...])) }
        next += taken?.length ?? 0
        return taken?.value
    }

    private static func lineFeed(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard start < bytes.count, let base = bytes.baseAddress,
            let found = memchr(base + start, 0x0A, bytes.count - start)
        else { return nil }
        return base.distance(to: UnsafeRawPointer(found))
    }

    /// A line without its line feed.
    struct Line {
        var bytes: [UInt8]
        /// Bytes are missing, as there were more than the limit.
        var isTooLong: Bool
        /// False where the text ends without a line feed.
        var isTerminated: Bool
    }

    /// Consumes the rest of the line with its line feed; nil at the end of the text.
    /// - Parameter limit: bytes beyond are dropped.
    mutating func readLine(limit: Int) throws -> Line? {
        guard try peek() != nil else { return nil }
        var bytes: [UInt8] = []
        var length = 0
        var isTerminated = false
        while try peek() != nil {
            let rest = chunk[next...]
            let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
            bytes += rest[..<end].prefix(limit - bytes.count)
            length += end - next
            next = end
            if end < chunk.count {
                skip()
                isTerminated = true
                break
            }
        }
        return Line(bytes: bytes, isTooLong: length > limit, isTerminated: isTerminated)
    }

    private mutating func load() throws {
        while next == chunk.count, !isAtEnd {
            chunkOffset += chunk.count
            chunk = try refill()
            next = 0
            isAtEnd = chunk.isEmpty
        }
    }
}
