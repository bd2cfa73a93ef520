import JSONText
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Cutting a stream of JSON into values")
struct JSONCutterTests {
    private func cutter(_ text: String, chunk size: Int, limit: Int = 1 << 20) -> JSONCutter {
        var rest = Array(text.utf8)[...]
        let stream = ByteStream {
            defer { rest = rest.dropFirst(size) }
            return Array(rest.prefix(size))
        }
        return JSONCutter(stream, pieceLimit: limit)
    }

    @Test("Members and elements come whole, whatever chunks the text comes in", arguments: [1, 2, 3, 7, 1000])
    func whole(size: Int) throws {
        let text = #" { "a\"}" : [ {"b":"]}\\\"["} , 12 ,"x" , [] , null,-1.5e3 ], "c":{"d":[[1]]} , "e" : true } "#
        var pieces: [String] = []
        var cutter = cutter(text, chunk: size)
        #expect(try cutter.peek() == UInt8(ascii: "{"))
        try cutter.forEachMember { cutter, key in
            pieces.append(key)
            guard try cutter.require() == UInt8(ascii: "[") else { return pieces.append(try cutter.piece()) }
            try cutter.forEachElement { cutter, index in pieces.append("\(index) " + (try cutter.piece())) }
        }
        #expect(try cutter.peek() == nil)
        #expect(
            pieces == [
                #"a"}"#, #"0 {"b":"]}\\\"["}"#, "1 12", #"2 "x""#, "3 []", "4 null", "5 -1.5e3", "c", #"{"d":[[1]]}"#,
                "e", "true",
            ])
    }

    @Test("Empty containers have no members and no elements", arguments: ["{}", "[ ]", "{\n}"])
    func empty(text: String) throws {
        var cutter = cutter(text, chunk: 1)
        if try cutter.peek() == UInt8(ascii: "{") {
            try cutter.forEachMember { _, _ in Issue.record("a member") }
        } else {
            try cutter.forEachElement { _, _ in Issue.record("an element") }
        }
        #expect(try cutter.peek() == nil)
    }

    @Test(
        "What breaks the grammar is reported with its line and column",
        arguments: [
            ("{", 1, 2, "the text ends before it is complete"),
            ("{1:2}", 1, 2, "a key in double quotes is missing"),
            ("{\"a\" 1}", 1, 6, "a colon is missing after a key"),
            ("{\"a\":}", 1, 6, "a value is missing"),
            ("{\"a\":\n 1 2}", 2, 4, "a comma or } is missing"),
            ("{\"a\":1,}", 1, 8, "a key in double quotes is missing"),
            ("{\"a\":1,", 1, 8, "the text ends before it is complete"),
            ("{\"a\":1]", 1, 7, "a comma or } is missing"),
            ("{\"a\":nil}", 1, 6, "a value is missing"),
            ("{\n\"a\": {\n  \"b\": 1 \"c\": 2}}", 3, 10, "a comma or } is missing"),
            ("{\"a\": [1}}", 1, 9, "a comma or ] is missing"),
            ("{\"a\": \"bc", 1, 10, "the text ends inside a string"),
            ("{\"a\": \"b\nc\"}", 1, 9, "a string is not closed on its line, or holds a bare line break"),
            ("{\"a\": \u{FEFF}1}", 1, 7, "a value is missing"),
        ])
    func faults(text: String, line: Int, column: Int, reason: String) throws {
        for size in [1, 64] {
            var cutter = cutter(text, chunk: size)
            _ = try cutter.peek()
            let error = #expect(throws: ManifestSyntaxFault.self) {
                try cutter.forEachMember { cutter, _ in _ = try cutter.readPiece() }
            }
            #expect(
                error?.line == line && error?.column == column && error?.reason == reason,
                "\(String(describing: error))")
        }
    }

    @Test("A value larger than the limit is skipped, and the next one read on")
    func tooLarge() throws {
        var cutter = cutter(#"[{"a":"123456"},"7",12345678901234]"#, chunk: 4, limit: 13)
        _ = try cutter.peek()
        var found: [String] = []
        try cutter.forEachElement { cutter, _ in
            switch try cutter.readPiece() {
            case .value(let value): found.append(String(decoding: value.bytes, as: UTF8.self))
            case .tooLarge: found.append("too large")
            }
        }
        #expect(found == ["too large", "\"7\"", "too large"])
    }
}

extension JSONCutter {
    fileprivate mutating func piece() throws -> String {
        guard case .value(let value) = try readPiece() else { return "" }
        return String(decoding: value.bytes, as: UTF8.self)
    }
}
