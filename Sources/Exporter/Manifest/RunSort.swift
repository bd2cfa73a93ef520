import HeapModule

/// Sorts the records of runs by key, as PostgreSQL orders the columns of `RunKey.columns`; records of one run stay in the
/// order in which they came. What exceeds one block waits in temporary files, so that memory does not grow with the
/// manifest.
struct RunSort {
    private let directory: String
    private let blockSize: Int
    private let fanIn: Int
    private var block = RunBlock()
    /// Sorted files by how often their records were merged. Older records are in higher levels, and before others of
    /// the same level.
    private var levels: [[Spool]] = []

    /// - Parameters:
    ///   - directory: of temporary files.
    ///   - blockSize: bytes of records that are sorted in memory.
    ///   - fanIn: so many sorted files become one.
    init(directory: String, blockSize: Int = 2 << 20, fanIn: Int = 64) {
        self.directory = directory
        self.blockSize = blockSize
        self.fanIn = fanIn
    }

    mutating func add(_ record: UnsafeRawBufferPointer) throws {
        if block.byteCount + record.count > blockSize { try spill() }
        try block.append(record)
    }

    /// Hands over all records in order.
    consuming func forEachRecord(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        if levels.isEmpty { return try block.forEachSorted(body) }
        if !block.isEmpty { try spill() }
        try Self.merge(levels.reversed().flatMap { $0 }, body)
    }

    private mutating func spill() throws {
        var writer = SpoolWriter(directory: directory)
        try block.forEachSorted { try writer.append($0) }
        block.removeAll()
        try add(writer.finish(), level: 0)
    }

    private mutating func add(_ spool: Spool, level: Int) throws {
        if levels.count == level { levels.append([]) }
        levels[level].append(spool)
        guard levels[level].count == fanIn else { return }
        var writer = SpoolWriter(directory: directory)
        try Self.merge(levels[level]) { try writer.append($0) }
        levels[level] = []
        try add(writer.finish(), level: level + 1)
    }

    /// - Parameter spools: sorted, the oldest first.
    private static func merge(_ spools: [Spool], _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var readers = spools.map { SpoolReader($0) }
        var heads = Heap<RunOrder>()
        for index in readers.indices {
            guard let head = try readers[index].head() else { continue }
            heads.insert(RunOrder(head, sequence: index))
        }
        while let first = heads.min {
            let index = first.sequence
            try readers[index].take(body)
            if let head = try readers[index].head() {
                heads.replaceMin(with: RunOrder(head, sequence: index))
            } else {
                heads.removeMin()
            }
        }
    }
}

/// Records in memory, and their order.
private struct RunBlock {
    private var records: [UInt8] = []
    /// Each with the place of its record's length.
    private var orders: [RunOrder] = []

    var isEmpty: Bool { orders.isEmpty }
    var byteCount: Int { records.count }

    mutating func append(_ record: UnsafeRawBufferPointer) throws {
        orders.append(RunOrder(try RunRecordHead(record), sequence: records.count))
        withUnsafeBytes(of: UInt32(record.count).littleEndian) { records.append(contentsOf: $0) }
        records.append(contentsOf: record)
    }

    mutating func removeAll() {
        records.removeAll(keepingCapacity: true)
        orders.removeAll(keepingCapacity: true)
    }

    mutating func forEachSorted(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        orders.sort()
        try records.withUnsafeBytes { bytes in
            for order in orders {
                guard let record = SpoolRecord(in: bytes, at: order.sequence) else { continue }
                try body(UnsafeRawBufferPointer(rebasing: bytes[record.start..<record.end]))
            }
        }
    }
}

/// A key as words that compare as its bytes do, and which of the records with that key comes first.
private struct RunOrder: Comparable {
    private let words: (UInt64, UInt64, UInt64, UInt64)
    let sequence: Int

    init(_ head: RunRecordHead, sequence: Int) {
        words = (
            head.storedActionID.first.bigEndian, head.storedActionID.last.bigEndian, head.runID.first.bigEndian,
            head.runID.last.bigEndian
        )
        self.sequence = sequence
    }

    static func < (a: RunOrder, b: RunOrder) -> Bool {
        a.words == b.words ? a.sequence < b.sequence : a.words < b.words
    }

    static func == (a: RunOrder, b: RunOrder) -> Bool { a.words == b.words && a.sequence == b.sequence }
}

/// Reads a spool's records one by one.
private struct SpoolReader {
    private static let bufferSize = 16 << 10

    private let spool: Spool
    private var buffer: [UInt8] = []
    /// Of the next record, in the buffer.
    private var next = 0
    /// Behind the buffer's last byte, in the spool.
    private var end = 0

    init(_ spool: Spool) {
        self.spool = spool
    }

    /// Of the next record; nil behind the last one.
    mutating func head() throws -> RunRecordHead? {
        guard try fill() else { return nil }
        return try withRecord { record, _ in try RunRecordHead(record) }
    }

    /// Hands over the next record.
    mutating func take(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard try fill() else { return }
        next = try withRecord { record, end in
            try body(record)
            return end
        }
    }

    /// Makes sure that the whole of the next record is in the buffer.
    ///
    /// - Returns: false behind the last record.
    private mutating func fill() throws -> Bool {
        var size = Self.bufferSize
        while true {
            let record = buffer.withUnsafeBytes { SpoolRecord(in: $0, at: next) }
            if let record, record.end <= buffer.count { return true }
            let begin = end - (buffer.count - next)
            guard begin < spool.byteCount else { return false }
            if let record { size = max(size, record.end - next) }
            guard end < spool.byteCount else { throw SpoolError(reason: "a temporary file was cut short") }
            buffer = try spool.bytes(at: begin, count: min(size, spool.byteCount - begin))
            next = 0
            end = begin + buffer.count
        }
    }

    private func withRecord<Result>(_ body: (UnsafeRawBufferPointer, Int) throws -> Result) throws -> Result {
        try buffer.withUnsafeBytes { bytes in
            guard let record = SpoolRecord(in: bytes, at: next), record.end <= bytes.count else {
                throw SpoolError(reason: "a record of it is damaged")
            }
            return try body(UnsafeRawBufferPointer(rebasing: bytes[record.start..<record.end]), record.end)
        }
    }
}
