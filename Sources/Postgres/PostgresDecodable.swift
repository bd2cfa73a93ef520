import Foundation

/// A value in a row, still in the binary format.
package struct PostgresCell {
    let type: UInt32
    /// nil: null. Valid while the row is.
    let bytes: UnsafeRawBufferPointer?

    /// Why a cell is not the Swift value that was asked for.
    package struct Mismatch: Error {
        let reason: String
    }

    /// The bytes of a cell that is not null and has one of `types`.
    func require(_ types: UInt32..., as wanted: String) throws(Mismatch) -> UnsafeRawBufferPointer {
        guard let bytes else { throw Mismatch(reason: "it is null") }
        guard types.contains(type) else {
            throw Mismatch(reason: "its type has the OID \(type), which is not read as \(wanted): cast it in the query")
        }
        return bytes
    }
}

/// What a column can be read as: `Int`, `Int64`, `String`, `Bool`, `UUID`, `Date`, `[UInt8]` and optionals of them.
package protocol PostgresDecodable {
    init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch)
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch) {
        self = cell.bytes == nil ? nil : try Wrapped(postgres: cell)
    }
}

extension Int64: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch) {
        let bytes = try cell.require(TypeOID.int8, TypeOID.int4, TypeOID.int2, TypeOID.oid, as: "an integer")
        let value: Int64? =
            switch cell.type {
            case TypeOID.int8: bytes.bigEndian(as: Int64.self)
            case TypeOID.int4: bytes.bigEndian(as: Int32.self).map(Int64.init)
            case TypeOID.int2: bytes.bigEndian(as: Int16.self).map(Int64.init)
            default: bytes.bigEndian(as: UInt32.self).map(Int64.init)
            }
        guard let value else { throw PostgresCell.Mismatch(reason: "it has \(bytes.count) bytes") }
        self = value
    }
}

extension Int: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch) {
        guard let value = Int(exactly: try Int64(postgres: cell)) else {
            throw PostgresCell.Mismatch(reason: "it does not fit an Int")
        }
        self = value
    }
}

/// The text types, `json` and `jsonb`; others want `::text`.
extension String: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch) {
        let bytes = try cell.require(
            TypeOID.text, TypeOID.varchar, TypeOID.bpchar, TypeOID.name, TypeOID.char, TypeOID.unknown, TypeOID.json,
            TypeOID.jsonb, as: "a text")
        self.init(decoding: cell.type == TypeOID.jsonb ? .init(rebasing: bytes.dropFirst()) : bytes, as: UTF8.self)
    }
}

extension Bool: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch) {
        self = try cell.require(TypeOID.bool, as: "a boolean").first == 1
    }
}

extension UUID: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch) {
        let bytes = try cell.require(TypeOID.uuid, as: "a UUID")
        guard bytes.count == MemoryLayout<uuid_t>.size else {
            throw PostgresCell.Mismatch(reason: "it has \(bytes.count) bytes")
        }
        self.init(uuid: bytes.loadUnaligned(as: uuid_t.self))
    }
}

/// A `timestamptz`, to the microsecond; `infinity` is refused.
extension Date: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch) {
        let bytes = try cell.require(TypeOID.timestamptz, as: "a date")
        guard let microseconds = bytes.bigEndian(as: Int64.self),
            let date = BinaryFormat.date(microseconds: microseconds)
        else { throw PostgresCell.Mismatch(reason: "it is not a finite timestamp") }
        self = date
    }
}

/// A `bytea`.
extension [UInt8]: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresCell.Mismatch) {
        self = Array(try cell.require(TypeOID.bytea, as: "bytes"))
    }
}
