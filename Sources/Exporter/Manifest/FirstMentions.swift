/// The records that name a run for the first time, one after the other in memory, and found again by the run's key.
struct FirstMentions {
    private(set) var count = 0
    private var records: [UInt8] = []
    /// By bits of the key, with open addressing: where a record begins, plus 1; 0 for none.
    private var slots: [Int]
    /// The other sources that name a run, by where the run's record begins.
    private var otherSources: [Int: [Int]] = [:]

    /// - Parameter byteCount: how many bytes of records there may be.
    init(byteCount: Int) {
        records.reserveCapacity(byteCount)
        let maxCount = byteCount / (SpoolRecord.lengthSize + RunRecordHead.size) + 1
        slots = Array(repeating: 0, count: 1 << (Int.bitWidth - (2 * maxCount).leadingZeroBitCount))
    }

    /// Where the first record of the same run begins; nil if this is the first one, which is kept.
    mutating func insert(_ record: UnsafeRawBufferPointer, _ head: RunRecordHead) throws -> Int? {
        if 2 * count >= slots.count { try grow() }
        let slot = try slot(for: head)
        if slots[slot] > 0 { return slots[slot] - 1 }
        slots[slot] = records.count + 1
        withUnsafeBytes(of: UInt32(record.count).littleEndian) { records.append(contentsOf: $0) }
        records.append(contentsOf: record)
        count += 1
        return nil
    }

    /// The head of the record that begins there.
    @inline(__always)
    func head(at position: Int) throws -> RunRecordHead {
        try withRecord(at: position) { record throws(SpoolError) in try RunRecordHead(record) }
    }

    /// The run whose first record begins there.
    func run(at position: Int) throws -> SpooledRun {
        var run = try withRecord(at: position) { try SpooledRun(decoding: $0) }
        run.otherSources = otherSources[position] ?? []
        return run
    }

    /// Whether the source did not name the run before.
    mutating func addSource(_ source: Int, toRunAt position: Int) throws -> Bool {
        guard try head(at: position).source != source, otherSources[position]?.contains(source) != true else {
            return false
        }
        otherSources[position, default: []].append(source)
        return true
    }

    /// Writes one record a run, with all of its sources, in the order of their first mentions.
    func write(to spool: inout SpoolWriter) throws {
        var position = 0
        while position < records.count {
            if otherSources[position] != nil {
                try run(at: position).append(to: &spool)
                position = try withRecord(at: position) { position + SpoolRecord.lengthSize + $0.count }
            } else {
                position = try withRecord(at: position) {
                    try spool.append($0)
                    return position + SpoolRecord.lengthSize + $0.count
                }
            }
        }
    }

    /// The slot of the run with that key, or the free one that it would get.
    @inline(__always)
    private func slot(for head: RunRecordHead) throws -> Int {
        let mask = slots.count - 1
        // The lower bits are alike in all records of a part.
        var slot = Int(truncatingIfNeeded: head.mixedBits >> 24) & mask
        while slots[slot] > 0, try !self.head(at: slots[slot] - 1).hasSameKey(as: head) { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() throws {
        let positions = slots.filter { $0 > 0 }
        slots = Array(repeating: 0, count: 2 * slots.count)
        for position in positions { slots[try slot(for: head(at: position - 1))] = position }
    }

    @inline(__always)
    private func withRecord<Result>(
        at position: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        try records.withUnsafeBytes { bytes in
            guard let record = SpoolRecord(in: bytes, at: position), record.end <= bytes.count else {
                throw SpoolError(reason: "a record of it is damaged")
            }
            return try body(UnsafeRawBufferPointer(rebasing: bytes[record.start..<record.end]))
        }
    }
}
