import Foundation

/// A value for `$1`, `$2`, …, with its type, sent in the binary format: every string arrives as it is, and one that
/// PostgreSQL cannot hold (a NUL in a text) is refused by the server with an error of kind `.data`.
///
/// The arrays serve `from unnest($1::uuid[], $2::text[])`, one statement for any number of rows.
package struct PostgresParameter: Sendable {
    let type: UInt32
    let bytes: [UInt8]?
    /// Why the value cannot be sent at all.
    let refusal: String?

    private init(_ type: UInt32, _ bytes: [UInt8]?, refusal: String? = nil) {
        self.type = type
        self.bytes = bytes
        self.refusal = refusal
    }

    /// A null whose type the statement determines.
    package static var null: Self { Self(TypeOID.unspecified, nil) }
    package static func text(_ value: String?) -> Self { Self(TypeOID.text, value.map(textBytes)) }
    /// A `bigint`.
    package static func int(_ value: Int?) -> Self { Self(TypeOID.int8, value.map(intBytes)) }
    package static func bool(_ value: Bool?) -> Self { Self(TypeOID.bool, value.map(boolBytes)) }
    package static func uuid(_ value: UUID?) -> Self { Self(TypeOID.uuid, value.map(\.bytes)) }
    /// A `timestamptz`, to the microsecond. A date that `Int64` microseconds cannot hold is refused with `.data`.
    package static func timestamp(_ value: Date?) -> Self {
        guard let value else { return Self(TypeOID.timestamptz, nil) }
        guard let bytes = timestampBytes(value) else {
            return Self(TypeOID.timestamptz, nil, refusal: unrepresentableDate)
        }
        return Self(TypeOID.timestamptz, bytes)
    }
    /// A `bytea`.
    package static func bytes(_ value: [UInt8]?) -> Self { Self(TypeOID.bytea, value) }
    /// A `jsonb` from JSON text.
    package static func json(_ value: String?) -> Self { Self(TypeOID.jsonb, value.map { jsonBytes($0.utf8) }) }
    /// A `jsonb` from JSON text in UTF-8.
    package static func json(bytes value: [UInt8]?) -> Self { Self(TypeOID.jsonb, value.map(jsonBytes)) }

    package static func texts(_ values: [String?]) -> Self {
        array(TypeOID.textArray, of: TypeOID.text, values) { $1.append(contentsOf: $0.utf8) }
    }
    package static func ints(_ values: [Int?]) -> Self {
        array(TypeOID.int8Array, of: TypeOID.int8, values) { $1.append(bigEndian: Int64($0)) }
    }
    package static func bools(_ values: [Bool?]) -> Self {
        array(TypeOID.boolArray, of: TypeOID.bool, values) { $1.append($0 ? 1 : 0) }
    }
    package static func uuids(_ values: [UUID?]) -> Self {
        array(TypeOID.uuidArray, of: TypeOID.uuid, values) { value, bytes in
            withUnsafeBytes(of: value.uuid) { bytes.append(contentsOf: $0) }
        }
    }
    package static func timestamps(_ values: [Date?]) -> Self {
        var isRepresentable = true
        let array = array(TypeOID.timestamptzArray, of: TypeOID.timestamptz, values) { value, bytes in
            let microseconds = BinaryFormat.microseconds(of: value)
            if microseconds == nil { isRepresentable = false }
            bytes.append(bigEndian: microseconds ?? 0)
        }
        return isRepresentable ? array : Self(TypeOID.timestamptzArray, nil, refusal: unrepresentableDate)
    }
    /// From JSON texts in UTF-8.
    package static func jsons(_ values: [ArraySlice<UInt8>?]) -> Self {
        array(TypeOID.jsonbArray, of: TypeOID.jsonb, values) { value, bytes in
            bytes.append(BinaryFormat.jsonbVersion)
            bytes.append(contentsOf: value)
        }
    }
    package static func byteas(_ values: [ArraySlice<UInt8>?]) -> Self {
        array(TypeOID.byteaArray, of: TypeOID.bytea, values) { $1.append(contentsOf: $0) }
    }

    static let unrepresentableDate = "the date lies beyond what a timestamptz can hold"

    private static func textBytes(_ value: String) -> [UInt8] { Array(value.utf8) }
    private static func boolBytes(_ value: Bool) -> [UInt8] { [value ? 1 : 0] }
    private static func jsonBytes(_ value: some Collection<UInt8>) -> [UInt8] { [BinaryFormat.jsonbVersion] + value }
    private static func intBytes(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: Int64(value))
        return bytes
    }
    private static func timestampBytes(_ value: Date) -> [UInt8]? {
        guard let microseconds = BinaryFormat.microseconds(of: value) else { return nil }
        var bytes: [UInt8] = []
        bytes.append(bigEndian: microseconds)
        return bytes
    }

    private static func array<T>(
        _ type: UInt32, of element: UInt32, _ values: [T?], _ append: (T, inout [UInt8]) -> Void
    ) -> Self {
        var bytes: [UInt8] = []
        let fits = bytes.append(array: values, of: element, append)
        return Self(type, bytes, refusal: fits ? nil : "the array is longer than PostgreSQL takes")
    }
}

extension [UInt8] {
    /// Appends a one-dimensional array of `element`: dimensions, whether there are nulls, element type, length, lower
    /// bound, then each element behind its length, -1 for null (`array_recv`). False when a length is past 31 bits.
    ///
    /// - Parameter append: appends the bytes of one element.
    @inline(__always)
    mutating func append<T>(
        array values: some Collection<T?>, of element: UInt32, _ append: (T, inout [UInt8]) -> Void
    ) -> Bool {
        self.append(bigEndian: Int32(values.isEmpty ? 0 : 1))
        self.append(bigEndian: Int32(values.contains { $0 == nil } ? 1 : 0))
        self.append(bigEndian: element)
        if values.isEmpty { return true }
        guard let count = Int32(exactly: values.count) else { return false }
        self.append(bigEndian: count)
        self.append(bigEndian: Int32(1))
        for value in values {
            let start = self.count
            self.append(bigEndian: Int32(-1))
            guard let value else { continue }
            append(value, &self)
            guard let length = Int32(exactly: self.count - start - 4) else { return false }
            Swift.withUnsafeBytes(of: length.bigEndian) { replaceSubrange(start..<(start + 4), with: $0) }
        }
        return true
    }
}
