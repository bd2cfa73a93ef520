/// Writes integers as a count of their significant bytes and those bytes; an absent value as the count 255.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    /// Forgets what was written, but keeps the memory.
    mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
    }

    mutating func add(_ integer: UInt64) {
        bytes.append(UInt8(8 - integer.leadingZeroBitCount / 8))
        var rest = integer
        while rest > 0 {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    mutating func add(_ integer: Int) {
        add(UInt64(integer))
    }

    mutating func add(_ integer: Int?) {
        if let integer { add(integer) } else { bytes.append(255) }
    }

    mutating func add(_ flag: Bool?) {
        add(flag.map { $0 ? 1 : 0 })
    }

    mutating func add(_ content: (some Collection<UInt8>)?) {
        add(content?.count)
        if let content { bytes.append(contentsOf: content) }
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

    private mutating func optionalInteger() throws -> UInt64? {
        let count = Int(try bytes(1)[0])
        if count == 255 { return nil }
        let digits = try bytes(count)
        var integer: UInt64 = 0
        for index in stride(from: count - 1, through: 0, by: -1) { integer = integer << 8 | UInt64(digits[index]) }
        return integer
    }

    mutating func optionalInt() throws -> Int? {
        try optionalInteger().map { Int(truncatingIfNeeded: $0) }
    }

    mutating func int() throws -> Int {
        try optionalInt() ?? 0
    }

    mutating func optionalFlag() throws -> Bool? {
        try optionalInteger().map { $0 == 1 }
    }

    mutating func optionalBytes() throws -> UnsafeRawBufferPointer? {
        guard let count = try optionalInt() else { return nil }
        return try bytes(count)
    }

    mutating func optionalText() throws -> String? {
        try optionalBytes().map { String(decoding: $0, as: UTF8.self) }
    }

    private mutating func bytes(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, record.count - position >= count else {
            throw SpoolError(reason: "a record of it is damaged")
        }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: record[position..<(position + count)])
    }
}
