/// Writes integers as a count of their significant bytes and those bytes; an absent value as the count 255.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ integer: UInt64) {
        let count = 8 - integer.leadingZeroBitCount / 8
        bytes.append(UInt8(count))
        withUnsafeBytes(of: integer.littleEndian) { bytes.append(contentsOf: $0.prefix(count)) }
    }

    mutating func add(_ integer: Int) {
        add(UInt64(integer))
    }

    mutating func add(_ integer: UInt64?) {
        if let integer { add(integer) } else { bytes.append(255) }
    }

    mutating func add(_ content: [UInt8]?) {
        add(content.map { UInt64($0.count) })
        bytes += content ?? []
    }
}

/// Reads what `RecordWriter` wrote, from bytes that outlive it.
struct RecordReader {
    private let record: UnsafeRawBufferPointer
    private var position: Int

    init(_ record: UnsafeRawBufferPointer, from position: Int) {
        self.record = record
        self.position = position
    }

    mutating func optionalInteger() throws -> UInt64? {
        let count = Int(try bytes(1).first ?? 255)
        if count == 255 { return nil }
        return try bytes(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func int() throws -> Int {
        Int(truncatingIfNeeded: try optionalInteger() ?? 0)
    }

    mutating func optionalBytes() throws -> Slice<UnsafeRawBufferPointer>? {
        guard let count = try optionalInteger() else { return nil }
        return try bytes(Int(truncatingIfNeeded: count))
    }

    mutating func optionalText() throws -> String? {
        try optionalBytes().map { String(decoding: $0, as: UTF8.self) }
    }

    private mutating func bytes(_ count: Int) throws -> Slice<UnsafeRawBufferPointer> {
        guard count >= 0, record.count - position >= count else {
            throw SpoolError(reason: "a record of it is damaged")
        }
        defer { position += count }
        return record[position..<(position + count)]
    }
}
