/// Sorted entries in a temporary file, read a block at a time.
struct Segment: Sendable {
    /// Entries.
    private static let blockSize = 64

    let level: Int
    /// Behind its last byte.
    let end: Int
    private var offset: Int
    private var block: [UInt8] = []
    private var blockOffset = 0

    fileprivate init(level: Int, range: Range<Int>) {
        self.level = level
        offset = range.lowerBound
        end = range.upperBound
    }

    /// Entries that `next` still brings.
    var count: Int { (end - offset + block.count - blockOffset) / WorkEntry.byteCount }

    mutating func next(in file: AnonymousFile) throws -> WorkEntry? {
        if blockOffset == block.count {
            guard offset < end else { return nil }
            block = try file.read(at: offset, count: min(end - offset, Self.blockSize * WorkEntry.byteCount))
            offset += block.count
            blockOffset = 0
        }
        defer { blockOffset += WorkEntry.byteCount }
        return block.withUnsafeBytes {
            WorkEntry(UnsafeRawBufferPointer(rebasing: $0[blockOffset..<(blockOffset + WorkEntry.byteCount)]))
        }
    }

    /// Writes a segment through a buffer.
    struct Writer {
        private static let bufferSize = 256 << 10

        private let level: Int
        private var start = 0
        private var offset = 0
        private var buffer: [UInt8] = []

        init(of count: Int, level: Int) {
            self.level = level
            buffer.reserveCapacity(min(count * WorkEntry.byteCount, Self.bufferSize + WorkEntry.byteCount))
        }

        mutating func begin(at offset: Int) {
            start = offset
            self.offset = offset
        }

        mutating func write(_ entry: WorkEntry, to file: AnonymousFile) throws {
            entry.append(to: &buffer)
            if buffer.count >= Self.bufferSize { try flush(to: file) }
        }

        mutating func finish(in file: AnonymousFile) throws -> Segment {
            try flush(to: file)
            return Segment(level: level, range: start..<offset)
        }

        private mutating func flush(to file: AnonymousFile) throws {
            try file.write(buffer[...], at: offset)
            offset += buffer.count
            buffer.removeAll(keepingCapacity: true)
        }
    }
}
