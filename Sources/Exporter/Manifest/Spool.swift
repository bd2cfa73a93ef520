/// The temporary file for what a manifest says can't be made, written or read.
package struct SpoolError: Error, Sendable {
    /// What happened, with the path and the system's own words where there are any.
    package var reason: String
}

/// Records put aside in a temporary file that has no name, so that none outlives the process, however that ends.
final class Spool: Sendable {
    private let file: AnonymousFile?
    private let storedCount: Int
    /// What was never worth writing out.
    private let tail: [UInt8]

    let byteCount: Int

    fileprivate init(file: AnonymousFile?, storedCount: Int, tail: [UInt8]) {
        self.file = file
        self.storedCount = storedCount
        self.tail = tail
        byteCount = storedCount + tail.count
    }

    /// Hands over each record in the order of writing, for as long as the call lasts. May be called again, and at the
    /// same time.
    func forEachRecord(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try forEachRecordAndPosition { record, _ in try body(record) }
    }

    /// The same, with the position by which `record(at:)` finds the record again.
    func forEachRecordAndPosition(_ body: (UnsafeRawBufferPointer, Int) throws -> Void) throws {
        _ = try scan(from: 0) { record, position in
            try body(record, position)
            return true
        }
    }

    /// - Parameter position: of a record, from `forEachRecordAndPosition`.
    func record(at position: Int) throws -> [UInt8] {
        var found: [UInt8]?
        _ = try scan(from: position) { record, _ in
            found = Array(record)
            return false
        }
        guard let found else { throw SpoolError(reason: "a temporary file was cut short") }
        return found
    }

    /// - Parameters:
    ///   - begin: the position of a record, or `byteCount`.
    ///   - body: returns whether to go on.
    /// - Returns: the position behind the last record handed over.
    func scan(from begin: Int, _ body: (UnsafeRawBufferPointer, Int) throws -> Bool) throws -> Int {
        var position = begin
        var size = SpoolWriter.readSize
        while position < byteCount {
            let chunk = try bytes(at: position, count: min(size, byteCount - position))
            var next = 0
            var goesOn = true
            try chunk.withUnsafeBytes { chunk in
                while goesOn, let record = SpoolRecord(in: chunk, at: next), record.end <= chunk.count {
                    goesOn = try body(
                        UnsafeRawBufferPointer(rebasing: chunk[record.start..<record.end]), position + next)
                    next = record.end
                }
                // A record that is not whole is read again with what follows it.
                let needed = SpoolRecord(in: chunk, at: next).map { $0.end - next } ?? SpoolRecord.lengthSize
                size = max(SpoolWriter.readSize, needed)
                guard next > 0 || needed <= byteCount - position else {
                    throw SpoolError(reason: "a temporary file was cut short")
                }
            }
            position += next
            if !goesOn { break }
        }
        return position
    }

    /// As many bytes as asked for; all of them must be there.
    func bytes(at position: Int, count: Int) throws(SpoolError) -> [UInt8] {
        let stored = min(count, max(0, storedCount - position))
        var bytes = if let file, stored > 0 { try file.read(at: position, count: stored) } else { [UInt8]() }
        if bytes.count < count {
            let start = position + bytes.count - storedCount
            bytes += tail[start..<(start + count - bytes.count)]
        }
        return bytes
    }
}

/// Where a record is among other bytes: its length, in four of them, and then the record.
struct SpoolRecord {
    static let lengthSize = 4

    let start: Int
    /// May lie behind the last byte.
    let end: Int

    /// Nil if too few bytes are left for a length.
    @inline(__always)
    init?(in bytes: UnsafeRawBufferPointer, at position: Int) {
        start = position + Self.lengthSize
        guard start <= bytes.count else { return nil }
        end = start + Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
    }
}

/// Writes a spool. Nothing touches the disk before there are bytes enough for a buffer.
struct SpoolWriter {
    static let readSize = 64 << 10
    private static let bufferSize = 16 << 10

    private let directory: String
    private var file: AnonymousFile?
    private var storedCount = 0
    /// Of its bytes the first `used` are records.
    private var buffer: [UInt8] = []
    private var used = 0

    /// - Parameter directory: where the temporary file is made.
    init(directory: String) {
        self.directory = directory
    }

    mutating func append(_ record: [UInt8]) throws(SpoolError) {
        try append(UnsafeRawBufferPointer(start: nil, count: 0), record)
    }

    /// Appends a record that begins with the head's bytes, as they lie in memory.
    @inline(__always)
    mutating func append(_ head: RunRecordHead, _ rest: [UInt8] = []) throws(SpoolError) {
        try withUnsafeBytes(of: head) { (bytes) throws(SpoolError) in try append(bytes, rest) }
    }

    /// Appends a record that is made of two pieces.
    @inline(__always)
    mutating func append(_ first: UnsafeRawBufferPointer, _ second: [UInt8] = []) throws(SpoolError) {
        let size = SpoolRecord.lengthSize + first.count + second.count
        if buffer.count - used < size { try makeRoom(for: size) }
        buffer.withUnsafeMutableBytes { bytes in
            let length = UInt32(first.count + second.count).littleEndian
            bytes.storeBytes(of: length, toByteOffset: used, as: UInt32.self)
            var free = UnsafeMutableRawBufferPointer(rebasing: bytes[(used + SpoolRecord.lengthSize)...])
            free.copyMemory(from: first)
            if second.isEmpty { return }
            free = UnsafeMutableRawBufferPointer(rebasing: free[first.count...])
            free.copyBytes(from: second)
        }
        used += size
    }

    consuming func finish() -> Spool {
        Spool(file: file, storedCount: storedCount, tail: Array(buffer[..<used]))
    }

    /// Empties the buffer, which holds a record larger than itself only once.
    private mutating func makeRoom(for size: Int) throws(SpoolError) {
        if used > 0 {
            let file = if let file { file } else { try AnonymousFile(directory: directory) }
            self.file = file
            try file.write(buffer[..<used], at: storedCount)
            storedCount += used
            used = 0
        }
        let capacity = max(Self.bufferSize, size)
        if buffer.count != capacity { buffer = Array(repeating: 0, count: capacity) }
    }
}
