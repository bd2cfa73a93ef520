import JSONText
import Testing

@Suite("JSON syntax, RFC 8259")
struct JSONSyntaxTests {
    @Test(
        "A valid text is accepted",
        arguments: [
            "0", "-0", "12", "0.5", "1e5", "1E+05", "-1.25e-3", "true", "false", "null", #""""#, "[]", "{}", " [ ] ",
            "{ }",
            "\u{FEFF}{}", "\t\r\n 1 \n", #"{"a":{"b":[1,2,{"c":[]}]}}"#, #""é漢😀""#,
            #""\u0000 \ud800 \" \\ \/ \b\f\n\r\t""#,
            #"{"a":1,"a":2}"#, "[1 , 2]", "\"\u{7F}\"", "\"a longer text than eight bytes, é, with more after it\"",
            String(repeating: "9", count: 5_000),
        ])
    func accepted(text: String) throws {
        _ = try JSONValue(validating: Array(text.utf8))
    }

    @Test(
        "An invalid text is refused at its offset with its reason",
        arguments: [
            ("", 0, "the text is empty"),
            ("  \n", 3, "the text is empty"),
            ("\u{FEFF}", 3, "the text is empty"),
            ("{} x", 3, "something follows after the end of the value"),
            ("1 2", 2, "something follows after the end of the value"),
            ("{\u{FEFF}}", 1, "a key in double quotes is missing"),
            ("[1 2]", 3, "a comma or ] is missing"),
            ("[1}", 2, "a comma or ] is missing"),
            (#"{"a":1 "b":2}"#, 7, "a comma or } is missing"),
            (#"{"a":1]"#, 6, "a comma or } is missing"),
            (#"{"a" 1}"#, 5, "a colon is missing after a key"),
            ("{a:1}", 1, "a key in double quotes is missing"),
            (#"{"a":1,}"#, 7, "a key in double quotes is missing"),
            ("[1,]", 3, "a value is missing"),
            ("[,]", 1, "a value is missing"),
            (#"{"a":}"#, 5, "a value is missing"),
            ("nil", 0, "a value is missing"),
            ("NaN", 0, "a value is missing"),
            ("truex", 4, "something follows after the end of the value"),
            ("'a'", 0, "a value is missing"),
            ("tru", 3, "the text ends before its value is complete"),
            ("[1", 2, "the text ends before its value is complete"),
            ("{", 1, "the text ends before its value is complete"),
            (#"{"a""#, 4, "the text ends before its value is complete"),
            (#"{"a":"#, 5, "the text ends before its value is complete"),
            ("[", 1, "the text ends before its value is complete"),
            ("01", 1, "a number starts with a superfluous 0"),
            ("-", 1, "a digit is missing in a number"),
            ("+1", 0, "a value is missing"),
            ("1.", 2, "a digit is missing in a number"),
            (".5", 0, "a value is missing"),
            ("1e+", 3, "a digit is missing in a number"),
            (#""abc"#, 4, "the text ends inside a string"),
            (#""abc\"#, 5, "the text ends inside a string"),
            (#""\u12"#, 5, "the text ends inside a string"),
            (#""\u12G4""#, 1, "\\u is not followed by four hexadecimal digits"),
            (#""\x""#, 1, "a backslash does not start a JSON escape"),
            ("\"a\tb\"", 2, "a control character in a string is not escaped"),
            ("\"0123456789\u{0}\"", 11, "a control character in a string is not escaped"),
            ("\"a\nb\"", 2, "a string is not closed on its line, or holds a bare line break"),
        ])
    func refused(text: String, offset: Int, reason: String) {
        #expect(throws: JSONSyntaxError(offset: offset, reason: reason)) {
            try JSONValue(validating: Array(text.utf8))
        }
    }

    @Test(
        "Bytes that are not UTF-8 are refused where the bad sequence starts",
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x9F, 0x80], [0xE2, 0x82],
            [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0x80, 0x80], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xFF], [0xE2, 0x28, 0xA1], [0xF0, 0x9F, 0x28, 0x80],
        ] as [[UInt8]])
    func notUTF8(sequence: [UInt8]) {
        let text = Array("[\"abcdefghij".utf8) + sequence + Array("\"]".utf8)
        #expect(throws: JSONSyntaxError(offset: 12, reason: "the text is not UTF-8")) {
            try JSONValue(validating: text)
        }
        let kept = try? JSONValue(validating: text, allowingBrokenUTF8: true)
        #expect(kept?.bytes.elementsEqual(text) == true)
        #expect(kept?.elements().count == 1)
        #expect(kept?.elements().first?.isBrokenString == true)
    }

    @Test("Bytes that are not UTF-8 are refused outside of strings, whatever is allowed inside of them")
    func notUTF8OutsideOfStrings() {
        for (text, offset) in [([0xFF], 0), ([0x5B, 0x31, 0xC3, 0x5D], 2), ([0x5B, 0xC2, 0xA0, 0x31, 0x5D], 1)] {
            let error = #expect(throws: JSONSyntaxError.self) {
                try JSONValue(validating: text.map { UInt8($0) }, allowingBrokenUTF8: true)
            }
            #expect(error?.offset == offset)
        }
    }

    @Test("A broken sequence hides neither the end of its string nor a control character nor an escape")
    func brokenSequenceBeforeStructure() throws {
        let text: [UInt8] = [0x5B, 0x22, 0xE2, 0x22, 0x2C, 0x22, 0xF0, 0x9F, 0x5C, 0x6E, 0x22, 0x5D]
        let value = try JSONValue(validating: text, allowingBrokenUTF8: true)
        #expect(value.elements().map(\.string) == ["\u{FFFD}", "\u{FFFD}\u{FFFD}\n"])
        #expect(throws: JSONSyntaxError(offset: 2, reason: "a control character in a string is not escaped")) {
            try JSONValue(validating: [0x22, 0xE2, 0x01, 0x22], allowingBrokenUTF8: true)
        }
        #expect(throws: JSONSyntaxError(offset: 2, reason: "the text ends inside a string")) {
            try JSONValue(validating: [0x22, 0xE2], allowingBrokenUTF8: true)
        }
    }

    @Test(
        "The bounds of every UTF-8 length are accepted",
        arguments: ["\u{80}", "\u{7FF}", "\u{800}", "\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10000}", "\u{10FFFF}"])
    func utf8(character: String) throws {
        let value = try JSONValue(validating: Array("\"\(character)\"".utf8))
        #expect(value.string == character)
    }

    @Test("A special byte is found at every place of an eight-byte word", arguments: 0..<20)
    func places(padding: Int) throws {
        let plain = String(repeating: "a", count: padding)
        let value = try JSONValue(validating: Array("[\"\(plain)\\n\(plain)é\(plain)\",1]".utf8))
        #expect(value.elements().first?.string == "\(plain)\n\(plain)é\(plain)")
        #expect(value.elements().count == 2)
    }

    @Test("Nesting 200,000 deep neither overflows the stack nor is refused")
    func deep() throws {
        let depth = 200_000
        let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        let value = try JSONValue(validating: Array(text.utf8))
        #expect(value.depth == depth)
        #expect(value.elements().first?.depth == depth - 1)
        let objects = String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
        let object = try JSONValue(validating: Array(objects.utf8))
        #expect(object["a"]?.depth == depth - 1)
        #expect(throws: JSONSyntaxError(offset: 2 * depth - 1, reason: "the text ends before its value is complete")) {
            try JSONValue(validating: Array(text.utf8.dropLast()))
        }
    }

    @Test("A closing bracket must match the one it closes, far below the first word of the nesting")
    func mismatch() {
        let opening = String(repeating: #"[{"a":"#, count: 100)
        let text = opening + "1" + String(repeating: "}]", count: 99) + "]"
        #expect(throws: JSONSyntaxError(offset: opening.utf8.count + 199, reason: "a comma or } is missing")) {
            try JSONValue(validating: Array(text.utf8))
        }
    }
}
