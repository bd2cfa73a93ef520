import Foundation

/// Writes the rows of a COPY: `beginRow()`, then one call for each column, in their order. Each call throws the
/// server's error when the server has given up, `.other` when the fields do not match the columns, and `.data` when a
/// value is longer than PostgreSQL takes.
package struct PostgresCopyWriter: ~Copyable {
    private static let chunk = 65_536
    /// `PGCOPY`, then bytes that a text conversion would change, no flags, no extension.
    private static let signature: [UInt8] =
        Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + Array(repeating: 0, count: 8)

    private let statements: Statements
    private let cancellation: OperationCancellation
    private let columns: Int16
    private let operation: String
    private var buffer: [UInt8]
    private var missingFields: Int16 = 0
    /// Rows begun so far.
    private(set) var rows = 0

    init(statements: Statements, cancellation: OperationCancellation, columns: Int, operation: String) {
        self.statements = statements
        self.cancellation = cancellation
        // A table has 1,600 columns at most.
        self.columns = Int16(clamping: columns)
        self.operation = operation
        buffer = Self.signature
        buffer.reserveCapacity(Self.chunk + 1024)
    }

    package mutating func beginRow() throws(PostgresError) {
        try checkRowIsComplete()
        buffer.append(bigEndian: columns)
        missingFields = columns
        rows += 1
    }

    package mutating func null() throws(PostgresError) { try field(length: -1) }

    package mutating func uuid(_ value: UUID?) throws(PostgresError) {
        guard let value else { return try null() }
        try field(length: 16)
        withUnsafeBytes(of: value.uuid) { buffer.append(contentsOf: $0) }
    }

    package mutating func int4(_ value: Int32?) throws(PostgresError) { try integer(value) }
    package mutating func int8(_ value: Int64?) throws(PostgresError) { try integer(value) }

    package mutating func bool(_ value: Bool?) throws(PostgresError) { try integer(value.map { $0 ? 1 : 0 as UInt8 }) }

    package mutating func timestamptz(_ value: Date?) throws(PostgresError) {
        guard let value else { return try null() }
        guard let microseconds = BinaryFormat.microseconds(of: value) else {
            throw PostgresError(.data, operation: operation, message: PostgresParameter.unrepresentableDate)
        }
        try integer(microseconds)
    }

    package mutating func text(_ value: String?) throws(PostgresError) {
        guard let value else { return try null() }
        try bytes(value.utf8, prefix: nil)
    }

    package mutating func bytea(_ value: (some Collection<UInt8>)?) throws(PostgresError) {
        guard let value else { return try null() }
        try bytes(value, prefix: nil)
    }

    /// JSON text in UTF-8, sent as it is.
    package mutating func jsonb(_ value: (some Collection<UInt8>)?) throws(PostgresError) {
        guard let value else { return try null() }
        try bytes(value, prefix: BinaryFormat.jsonbVersion)
    }

    /// A `text[]`.
    package mutating func texts(_ values: [String]?) throws(PostgresError) {
        guard let values else { return try null() }
        var array: [UInt8] = []
        guard array.append(array: values, of: TypeOID.text, { $1.append(contentsOf: $0.utf8) }) else {
            throw PostgresError(.data, operation: operation, message: "an array is longer than PostgreSQL takes")
        }
        try bytes(array, prefix: nil)
    }

    /// The trailer, and what is still in the buffer.
    mutating func finish() throws(PostgresError) {
        try checkRowIsComplete()
        buffer.append(bigEndian: Int16(-1))
        try flush()
    }
}

extension PostgresCopyWriter {
    private mutating func integer(_ value: (some FixedWidthInteger)?) throws(PostgresError) {
        guard let value else { return try null() }
        try field(length: Int32(value.bitWidth / 8))
        buffer.append(bigEndian: value)
    }

    /// A value behind its length. One too large for the buffer goes to libpq in pieces, from where it lies.
    private mutating func bytes(_ value: some Collection<UInt8>, prefix: UInt8?) throws(PostgresError) {
        guard let length = Int32(exactly: value.count + (prefix == nil ? 0 : 1)) else {
            throw PostgresError(.data, operation: operation, message: "a value is longer than PostgreSQL takes")
        }
        try field(length: length)
        if let prefix { buffer.append(prefix) }
        guard length > Self.chunk / 2 else {
            buffer.append(contentsOf: value)
            return
        }
        try flush()
        let sent = value.withContiguousStorageIfAvailable { storage in
            Result { () throws(PostgresError) in try send(UnsafeRawBufferPointer(storage)) }
        }
        if let sent { return try sent.get() }
        var rest = value[...]
        while !rest.isEmpty {
            buffer.append(contentsOf: rest.prefix(Self.chunk))
            rest = rest.dropFirst(Self.chunk)
            try flush()
        }
    }

    private mutating func field(length: Int32) throws(PostgresError) {
        guard missingFields > 0 else {
            throw PostgresError(.other, operation: operation, message: "a row has more fields than \(columns) columns")
        }
        missingFields -= 1
        if buffer.count >= Self.chunk { try flush() }
        buffer.append(bigEndian: length)
    }

    private func checkRowIsComplete() throws(PostgresError) {
        guard missingFields == 0 else {
            throw PostgresError(
                .other, operation: operation, message: "a row has \(columns - missingFields) of \(columns) fields")
        }
    }

    private mutating func flush() throws(PostgresError) {
        let sent = buffer.withUnsafeBytes { bytes in Result { () throws(PostgresError) in try send(bytes) } }
        buffer.removeAll(keepingCapacity: true)
        try sent.get()
    }

    private func send(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if cancellation.isRequested { throw PostgresConnection.cancelled(operation) }
            try statements.put(UnsafeRawBufferPointer(rebasing: rest.prefix(Self.chunk)), operation: operation)
            rest = rest.dropFirst(Self.chunk)
        }
    }
}
