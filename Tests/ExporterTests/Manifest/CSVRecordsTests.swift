import Testing

@testable import ExportCore
@testable import Exporter

@Suite("CSV, RFC 4180")
struct CSVRecordsTests {
    /// The records, whatever chunks the text comes in; "!" before what makes a record unreadable.
    private func records(_ text: String, chunk size: Int, limit: Int = 1 << 20) throws -> [[String]] {
        var rest = Array(text.utf8)[...]
        var records = CSVRecords(
            ByteStream {
                defer { rest = rest.dropFirst(size) }
                return Array(rest.prefix(size))
            }, recordLimit: limit)
        var result: [[String]] = []
        while let record = try records.next() {
            let fields = record.fault.map { ["!" + $0] } ?? record.fields.map { String(decoding: $0, as: UTF8.self) }
            result.append(["\(record.line)"] + fields)
        }
        return result
    }

    @Test(
        "Fields are cut as the standard says, and told with the line of their record",
        arguments: [
            ("", []),
            ("a,b\nc,d\n", [["1", "a", "b"], ["2", "c", "d"]]),
            ("a,b\r\nc,d", [["1", "a", "b"], ["2", "c", "d"]]),
            ("a,,\n,,\n", [["1", "a", "", ""], ["2", "", "", ""]]),
            ("\n\r\na\n\nb\n\n", [["3", "a"], ["5", "b"]]),
            (#""a","b""#, [["1", "a", "b"]]),
            (#""a,b","c""d","""" "#.trimmed, [["1", "a,b", #"c"d"#, "\""]]),
            ("\"a\nb\r\nc\",d\ne,f", [["1", "a\nb\r\nc", "d"], ["4", "e", "f"]]),
            ("\",", [["1", "!" + unclosed]]),
            ("\"\"\",x", [["1", "!" + unclosed]]),
            (#"a,"" "#.trimmed, [["1", "a", ""]]),
            ("\"\"\n", [["1", ""]]),
            (" a , b ", [["1", " a ", " b "]]),
            ("é,漢😀", [["1", "é", "漢😀"]]),
        ])
    func fields(text: String, expected: [[String]]) throws {
        for size in [1, 2, 3, 64] { #expect(try records(text, chunk: size) == expected) }
    }

    @Test(
        "A record that breaks the grammar is reported, and the next line is read on",
        arguments: [
            ("a,\"b\nc\nd", [["1", "!" + unclosed]]),
            ("\"a\"b,c\nd", [["1", "!" + trailing], ["2", "d"]]),
            ("\"a\" ,c\nd", [["1", "!" + trailing], ["2", "d"]]),
            ("\"a\nb\"x\nd", [["1", "!" + trailing], ["3", "d"]]),
            ("a\"b,c\nd", [["1", "!" + inner], ["2", "d"]]),
            ("a, \"b\"\nd", [["1", "!" + inner], ["2", "d"]]),
            ("a\rb\nd", [["1", "!" + carriage], ["2", "d"]]),
            ("\ra\nd", [["1", "!" + carriage], ["2", "d"]]),
            ("\"a\"\rb\nd", [["1", "!" + carriage], ["2", "d"]]),
        ])
    func faults(text: String, expected: [[String]]) throws {
        for size in [1, 2, 3, 64] { #expect(try records(text, chunk: size) == expected) }
    }

    @Test("A record larger than the limit is reported and not held")
    func tooLarge() throws {
        let text = String(repeating: "a", count: 50) + "\nb\n"
        let fault = "!the record is larger than 49 bytes; is a quote left open?"
        #expect(try records(text, chunk: 64, limit: 49) == [["1", fault], ["2", "b"]])
        #expect(try records(text, chunk: 64, limit: 50).count == 2)
    }
}

private let unclosed = "a quoted field is not closed before the end of the text: close the quote"
private let trailing = "bytes follow after a closing quote: double the quotes that belong to the field"
private let inner = "a quote inside an unquoted field: put the field in quotes and double those within"
private let carriage = "a carriage return without a line feed: end lines with LF or CRLF"

extension String {
    /// Without the space that keeps a raw literal's closing quote apart.
    fileprivate var trimmed: String { String(dropLast()) }
}
