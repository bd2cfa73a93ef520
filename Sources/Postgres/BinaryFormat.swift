import Foundation

/// PostgreSQL's binary format of values, the same in parameters, arrays, COPY and results: big-endian integers, a
/// timestamp as microseconds since 2000-01-01 UTC, `jsonb` as its version byte and then text
/// (the `*send` and `*recv` functions of the server's sources).
enum BinaryFormat {
    static let jsonbVersion: UInt8 = 1
    /// From Swift's reference date, 2001-01-01, back to PostgreSQL's: 2000 had 366 days.
    private static let microsecondsBetweenEpochs: Int64 = 366 * 86_400 * 1_000_000

    /// Microseconds since 2000-01-01 UTC; nil for a date that an `Int64` of them cannot hold.
    static func microseconds(of date: Date) -> Int64? {
        let microseconds = (date.timeIntervalSinceReferenceDate * 1_000_000).rounded()
        guard let whole = Int64(exactly: microseconds) else { return nil }
        let (sum, overflow) = whole.addingReportingOverflow(microsecondsBetweenEpochs)
        // The greatest and the least value mean `infinity` and `-infinity`.
        return overflow || sum == .max || sum == .min ? nil : sum
    }

    /// nil for `infinity` and `-infinity`.
    static func date(microseconds: Int64) -> Date? {
        guard microseconds != .max, microseconds != .min else { return nil }
        let (difference, overflow) = microseconds.subtractingReportingOverflow(microsecondsBetweenEpochs)
        return overflow ? nil : Date(timeIntervalSinceReferenceDate: Double(difference) / 1_000_000)
    }
}

/// The types whose values this target writes or reads, by their fixed object identifiers (`pg_type.dat`).
enum TypeOID {
    static let unspecified: UInt32 = 0
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let char: UInt32 = 18
    static let name: UInt32 = 19
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let oid: UInt32 = 26
    static let json: UInt32 = 114
    static let unknown: UInt32 = 705
    static let bpchar: UInt32 = 1042
    static let varchar: UInt32 = 1043
    static let timestamptz: UInt32 = 1184
    static let uuid: UInt32 = 2950
    static let jsonb: UInt32 = 3802

    static let boolArray: UInt32 = 1000
    static let textArray: UInt32 = 1009
    static let int8Array: UInt32 = 1016
    static let timestamptzArray: UInt32 = 1185
    static let uuidArray: UInt32 = 2951
    static let jsonbArray: UInt32 = 3807
    static let byteaArray: UInt32 = 1001
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

extension UUID {
    var bytes: [UInt8] { Swift.withUnsafeBytes(of: uuid) { Array($0) } }
}

extension UnsafeRawBufferPointer {
    /// The whole buffer as one big-endian integer; nil when its length is not the integer's.
    func bigEndian<T: FixedWidthInteger>(as _: T.Type) -> T? {
        guard count == MemoryLayout<T>.size else { return nil }
        return T(bigEndian: loadUnaligned(as: T.self))
    }
}
