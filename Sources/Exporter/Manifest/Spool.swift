import Glibc

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

    /// Hands over each record in the order of writing. May be called again, and at the same time.
    func forEachRecord(_ body: (ArraySlice<UInt8>) throws -> Void) throws {
        try scan(from: 0) { record, _ in
            try body(record)
            return true
        }
    }

    /// The same, with the position by which `record(at:)` finds the record again.
    func forEachRecordAndPosition(_ body: (ArraySlice<UInt8>, Int) throws -> Void) throws {
        try scan(from: 0) { record, position in
            try body(record, position)
            return true
        }
    }

    /// - Parameter position: of a record, from `forEachRecordAndPosition`.
    func record(at position: Int) throws -> ArraySlice<UInt8> {
        var found: ArraySlice<UInt8>?
        try scan(from: position) { record, _ in
            found = record
            return false
        }
        guard let found else { throw SpoolError(reason: "a temporary file was cut short") }
        return found
    }

    /// - Parameter body: returns whether to go on.
    private func scan(from begin: Int, _ body: (ArraySlice<UInt8>, Int) throws -> Bool) throws {
        var buffer: [UInt8] = []
        var (start, offset, position) = (0, begin, begin)
        func fill(_ count: Int) throws -> Bool {
            while buffer.count - start < count, offset < byteCount {
                buffer.removeFirst(start)
                start = 0
                let more: [UInt8]
                if let file, offset < storedCount {
                    more = try file.read(at: offset, count: min(SpoolWriter.readSize, storedCount - offset))
                } else {
                    more = Array(tail[(offset - storedCount)...])
                }
                buffer += more
                offset += more.count
            }
            return buffer.count - start >= count
        }
        while try fill(4) {
            let length = buffer[start..<(start + 4)].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard try fill(4 + length) else { throw SpoolError(reason: "a temporary file was cut short") }
            let record = (start + 4)..<(start + 4 + length)
            start = record.upperBound
            guard try body(buffer[record], position) else { return }
            position += 4 + length
        }
    }
}

/// Writes a spool. Nothing touches the disk before there are bytes enough for a buffer.
struct SpoolWriter {
    static let readSize = 64 << 10
    private static let bufferSize = 16 << 10

    private let directory: String
    private var file: AnonymousFile?
    private var storedCount = 0
    private var buffer: [UInt8] = []

    /// - Parameter directory: where the temporary file is made.
    init(directory: String) {
        self.directory = directory
    }

    mutating func append(_ record: [UInt8]) throws(SpoolError) {
        withUnsafeBytes(of: UInt32(record.count).littleEndian) { buffer.append(contentsOf: $0) }
        buffer += record
        guard buffer.count >= Self.bufferSize else { return }
        let file = if let file { file } else { try AnonymousFile(directory: directory) }
        self.file = file
        try file.write(buffer, at: storedCount)
        storedCount += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    consuming func finish() -> Spool {
        Spool(file: file, storedCount: storedCount, tail: buffer)
    }
}

/// A file that was unlinked as soon as it was made.
private final class AnonymousFile: Sendable {
    private let descriptor: Int32

    init(directory: String) throws(SpoolError) {
        var path = Array("\(directory)/stored-actions-XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        guard descriptor >= 0 else {
            throw SpoolError(reason: "no temporary file can be made in \(directory): \(systemErrorText(errno))")
        }
        unlink(path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit {
        close(descriptor)
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(SpoolError) {
        var done = 0
        while done < bytes.count {
            let result = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done, off_t(offset + done))
            }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else {
                throw SpoolError(reason: "a temporary file can't be written: \(systemErrorText(errno))")
            }
            done += result
        }
    }

    /// At least one byte.
    func read(at offset: Int, count: Int) throws(SpoolError) -> [UInt8] {
        var result = -1
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            repeat {
                result = pread(descriptor, buffer.baseAddress, count, off_t(offset))
            } while result < 0 && errno == EINTR
            filled = max(result, 0)
        }
        guard result >= 0 else { throw SpoolError(reason: "a temporary file can't be read: \(systemErrorText(errno))") }
        guard result > 0 else { throw SpoolError(reason: "a temporary file was cut short") }
        return bytes
    }
}
