import JSONText
import Testing

@Suite("JSON values")
struct JSONValueTests {
    private func value(_ text: String) throws -> JSONValue {
        try JSONValue(validating: Array(text.utf8))
    }

    @Test("A value's bytes are the text's own, without the white space around them")
    func bytes() throws {
        let text = try value("\u{FEFF} { \"a\" : [ 1.50 , \"\\u00e9\" ] , \"b\" : { \"c\" : -1e+2 } } \n")
        #expect(String(decoding: text.bytes, as: UTF8.self).hasPrefix("{ \"a\""))
        #expect(String(decoding: text.bytes, as: UTF8.self).hasSuffix("} }"))
        let array = try #require(text["a"])
        #expect(array.elements().map { String(decoding: $0.bytes, as: UTF8.self) } == ["1.50", "\"\\u00e9\""])
        #expect(text["b"]?["c"].map { String(decoding: $0.bytes, as: UTF8.self) } == "-1e+2")
    }

    @Test("Each kind is recognized by its value")
    func kinds() throws {
        let kinds = try value(#"[{}, [], "", 0, -1, true, false, null]"#).elements().map(\.kind)
        #expect(kinds == [.object, .array, .string, .number, .number, .bool, .bool, .null])
    }

    @Test("Members keep their order and their duplicates; a look-up finds the last one")
    func members() throws {
        let object = try value(#"{"b":1,"a":2,"b":[3,{"b":4}],"\u0061x":5,"":6}"#)
        #expect(object.members().map(\.key) == ["b", "a", "b", "ax", ""])
        #expect(object["b"]?.kind == .array)
        #expect(object["ax"]?.int == 5)
        #expect(object[""]?.int == 6)
        #expect(object["c"] == nil)
    }

    @Test("Keys that Unicode holds to be equivalent stay apart")
    func equivalentKeys() throws {
        let object = try value("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(object["\u{E9}"]?.int == 1)
        #expect(object["e\u{301}"]?.int == 2)
    }

    @Test("Brackets, commas and quotes inside strings are not structure")
    func structureInStrings() throws {
        let array = try value(#"[{"a":"}]\",["},"[{\\",["]\\\""],"é,]"]"#)
        #expect(array.elements().count == 4)
        #expect(Array(array.elements())[0]["a"]?.string == #"}]",["#)
        #expect(Array(array.elements())[1].string == #"[{\"#)
        #expect(Array(array.elements())[2].elements().first?.string == #"]\""#)
        #expect(array.depth == 2)
    }

    @Test(
        "Escapes are decoded",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u0041\u00e9\u6f22""#, "Aé漢"),
            (#""\u0000""#, "\u{0}"),
            (#""\ud83d\ude00!""#, "😀!"),
            (#""\uD83D\uDE00\u0021""#, "😀!"),
            (#""\ud83d""#, "\u{FFFD}"),
            (#""\ud83dx""#, "\u{FFFD}x"),
            (#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}"),
            (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"),
            (#""\ud83d\n""#, "\u{FFFD}\n"),
            (#""plain é""#, "plain é"),
        ])
    func escapes(text: String, decoded: String) throws {
        let string = try #require(try value(text).string)
        #expect(Array(string.utf8) == Array(decoded.utf8))
    }

    @Test(
        "An int is an integer written as one, within 64 bits",
        arguments: [
            ("3", 3), ("-2", -2), ("-0", 0), ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
            ("9223372036854775808", nil), ("3.0", nil), ("1e3", nil), ("\"3\"", nil), ("true", nil),
        ] as [(String, Int?)])
    func ints(text: String, expected: Int?) throws {
        #expect(try value(text).int == expected)
    }

    @Test("What a value is not, it does not give")
    func others() throws {
        let array = try value("[1]")
        #expect(array.string == nil && array.int == nil && array.bool == nil && !array.isNull)
        #expect(array.members().isEmpty && array["a"] == nil)
        #expect(try value("{\"a\":1}").elements().isEmpty)
        #expect(try value(" [ ] ").elements().isEmpty)
        #expect(JSONElements(only: try value(" 17 ")).map(\.int) == [17])
        #expect(JSONElements().isEmpty)
        #expect(try value("true").bool == true)
        #expect(try value("false").bool == false)
        #expect(try value("null").isNull)
        #expect(try value("7").depth == 0)
    }
}
