/// Cuts a stream into the records of RFC 4180: fields in quotes may hold commas, line breaks and doubled quotes; lines
/// end with LF or CRLF.
struct CSVRecords {
    struct Record: Equatable {
        /// The line on which it starts, counted from 1.
        var line: Int
        /// Bytes before it.
        var offset: Int
        var fields: [[UInt8]]
        /// What makes it unreadable; `fields` is of no use then.
        var fault: String?
        /// The text ends within the last field, or right behind it: no line end and no quote closes it.
        var isOpen = false
    }

    private var stream: ByteStream
    private let recordLimit: Int
    private var length = 0

    init(_ stream: ByteStream, recordLimit: Int) {
        self.stream = stream
        self.recordLimit = recordLimit
    }

    /// The next record that is not a blank line; nil at the end. After a fault the reader goes on with the next line.
    mutating func next() throws -> Record? {
        while try stream.peek() != nil {
            var record = Record(line: stream.line, offset: stream.offset, fields: [], fault: nil)
            length = 0
            do {
                if try takeLineEnd() { continue }
                var isQuoted = false
                repeat {
                    isQuoted = try stream.peek() == UInt8(ascii: "\"")
                    record.fields.append(try readField())
                } while try stream.take(UInt8(ascii: ","))
                record.isOpen = try stream.peek() == nil && !isQuoted
                _ = try takeLineEnd()
            } catch let fault as CSVFault {
                record.fault = fault.reason
                _ = try stream.readLine(limit: 0)
            }
            return record
        }
        return nil
    }

    /// Hands over lines as `ByteStream.takeLines` does. Each line that is taken must be a record, or blank.
    @inline(__always)
    mutating func takeLines(_ take: (UnsafeRawBufferPointer, _ line: Int, _ offset: Int) throws -> Bool) throws {
        try stream.takeLines(limit: recordLimit, take)
    }

    private mutating func readField() throws -> [UInt8] {
        var field: [UInt8] = []
        guard try stream.take(UInt8(ascii: "\"")) else {
            while let byte = try stream.peek(), !",\n\r".utf8.contains(byte) {
                if byte == UInt8(ascii: "\"") {
                    throw CSVFault(
                        reason: "a quote inside an unquoted field: put the field in quotes and double those within")
                }
                try append(byte, to: &field)
            }
            return field
        }
        while let byte = try stream.peek() {
            guard byte == UInt8(ascii: "\"") else {
                try append(byte, to: &field)
                continue
            }
            stream.skip()
            switch try stream.peek() {
            case UInt8(ascii: "\""): try append(byte, to: &field)
            case nil, UInt8(ascii: ","), UInt8(ascii: "\n"), UInt8(ascii: "\r"): return field
            default:
                throw CSVFault(reason: "bytes follow after a closing quote: double the quotes that belong to the field")
            }
        }
        throw CSVFault(reason: "a quoted field is not closed before the end of the text: close the quote")
    }

    private mutating func append(_ byte: UInt8, to field: inout [UInt8]) throws {
        length += 1
        guard length <= recordLimit else {
            throw CSVFault(reason: "the record is larger than \(byteCountText(recordLimit)); is a quote left open?")
        }
        field.append(byte)
        stream.skip()
    }

    /// Whether the line, or the text, ends here; consumes the line's end.
    private mutating func takeLineEnd() throws -> Bool {
        if try stream.take(UInt8(ascii: "\r")) {
            guard try stream.take(UInt8(ascii: "\n")) else {
                throw CSVFault(reason: "a carriage return without a line feed: end lines with LF or CRLF")
            }
            return true
        }
        if try stream.take(UInt8(ascii: "\n")) { return true }
        return try stream.peek() == nil
    }
}

private struct CSVFault: Error {
    var reason: String
}

func byteCountText(_ count: Int) -> String {
    count >= 1 << 20 ? "\(count >> 20) MiB" : "\(count) bytes"
}
