import JSONText
import Testing

@Suite("What jsonb can hold of a value")
struct JSONBFormTests {
    private func form(_ bytes: [UInt8]) throws -> JSONBForm {
        try JSONValue(validating: bytes, allowingBrokenUTF8: true).jsonbForm()
    }

    private func form(_ text: String) throws -> JSONBForm { try form(Array(text.utf8)) }

    private func notes(_ text: String) throws -> [String] {
        switch try form(text) {
        case .exact: []
        case .nearest(_, let notes), .none(let notes): notes
        }
    }

    @Test(
        "What jsonb holds exactly is exact",
        arguments: [
            "{}", "[]", "0", "-0", "true", "null", #""""#, #"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}"#,
            #"["\\u0000", "\\\\u0000", "\\ud800", "\u0001", "\ud83d\ude00", "\uD83D\uDE00", "\ufffd", "é漢😀"]"#,
            "{\"\u{E9}\":1,\"e\u{301}\":2}", #"{"a":1,"A":2,"\u0062":3,"":4,"ab":5,"ba":6}"#,
            "[12345678901234567890123456789, 10.10, 1e300, -1.5E-20, 0.1234567890123456789012345678901234567890]",
        ])
    func exact(text: String) throws {
        #expect(try form(text) == .exact)
    }

    @Test(
        "What jsonb cannot hold is changed to what comes nearest, with a note",
        arguments: [
            (#"{"name":"a\u0000b"}"#, "{\"name\":\"a\u{FFFD}b\"}", ["/name: \\u0000 became U+FFFD"]),
            (#"["\u0000\u0000x"]"#, "[\"\u{FFFD}\u{FFFD}x\"]", ["/0: 2 times \\u0000 became U+FFFD"]),
            (#""\\\u0000""#, "\"\\\\\u{FFFD}\"", ["(the whole value): \\u0000 became U+FFFD"]),
            (
                #" { "a" : [ 1 , "\ud800" ] } "#, "{ \"a\" : [ 1 , \"\u{FFFD}\" ] }",
                ["/a/1: a lone surrogate became U+FFFD"]
            ),
            (
                #"["\ude00\ud83d", "\ud83d\ud83d\ude00", "\ud83d\n", "\ud83d\u0041"]"#,
                "[\"\u{FFFD}\u{FFFD}\", \"\u{FFFD}\\ud83d\\ude00\", \"\u{FFFD}\\n\", \"\u{FFFD}\\u0041\"]",
                [
                    "/0: 2 lone surrogates became U+FFFD", "/1: a lone surrogate became U+FFFD",
                    "/2: a lone surrogate became U+FFFD", "/3: a lone surrogate became U+FFFD",
                ]
            ),
            (
                #"{"a\u0000":{"b":"\udfff"}}"#, "{\"a\u{FFFD}\":{\"b\":\"\u{FFFD}\"}}",
                ["/a\u{FFFD}: \\u0000 in the key became U+FFFD", "/a\u{FFFD}/b: a lone surrogate became U+FFFD"]
            ),
            (
                #"{"n":[1e131072,-1e-16384]}"#, #"{"n":["1e131072","-1e-16384"]}"#,
                [
                    "/n/0: the number 1e131072 is out of range and became a string",
                    "/n/1: the number -1e-16384 is out of range and became a string",
                ]
            ),
            (#"{"k":1,"k":2}"#, #"{"k":2}"#, ["/k: of 2 values of this key the last one was kept"]),
            (
                #"{"a" : {"x":[1,"}"]} , "b":1,"\u0061":{"c":1,"c":2,"c":3}, "d":4}"#,
                #"{"b":1,"\u0061":{"c":3}, "d":4}"#,
                [
                    "/a: of 2 values of this key the last one was kept",
                    "/a/c: of 3 values of this key the last one was kept",
                ]
            ),
            (
                #"{"\u0000":1,"\ud800":2,"ok":3}"#, "{\"\u{FFFD}\":2,\"ok\":3}",
                [
                    "/\u{FFFD}: a lone surrogate in the key became U+FFFD",
                    "/\u{FFFD}: of 2 values of this key the last one was kept",
                ]
            ),
            (#"{"a":"\u0000","a":1}"#, #"{"a":1}"#, ["/a: of 2 values of this key the last one was kept"]),
            (
                #"[{},[[],{"a/b~\n":["",true,null,-1,"\u0000"]}]]"#,
                "[{},[[],{\"a/b~\\n\":[\"\",true,null,-1,\"\u{FFFD}\"]}]]",
                [#"/1/1/a~1b~0\u000a/4: \u0000 became U+FFFD"#]
            ),
        ] as [(String, String, [String])])
    func nearest(text: String, nearest: String, notes: [String]) throws {
        #expect(try form(text) == .nearest(Array(nearest.utf8), notes: notes))
    }

    @Test(
        "Each byte that is not UTF-8 becomes one U+FFFD",
        arguments: [
            ([0x80], 1), ([0xC3], 1), ([0xC0, 0x80], 2), ([0xE2, 0x82], 2), ([0xED, 0xA0, 0x80], 3),
            ([0xF0, 0x9F, 0x98], 3), ([0xF4, 0x90, 0x80, 0x80], 4), ([0xFF, 0xFE], 2), ([0xC3, 0xC3, 0xA9], 1),
        ] as [([UInt8], Int)])
    func brokenUTF8(bytes: [UInt8], count: Int) throws {
        let words = count == 1 ? "1 byte that is" : "\(count) bytes that are"
        let rest = bytes.suffix(2) == [0xC3, 0xA9] ? "é" : ""
        let replaced = String(repeating: "\u{FFFD}", count: count) + rest
        let text = Array(#"{"a":"x"#.utf8) + bytes + Array(#"y"}"#.utf8)
        #expect(
            try form(text)
                == .nearest(Array("{\"a\":\"x\(replaced)y\"}".utf8), notes: ["/a: \(words) not UTF-8 became U+FFFD"]))
        let value = try JSONValue(validating: text, allowingBrokenUTF8: true)
        #expect(value["a"]?.string == "x\(replaced)y")
        let key = Array(#"{""#.utf8) + bytes + Array(#"":[1]}"#.utf8)
        #expect(
            try form(key)
                == .nearest(
                    Array("{\"\(replaced)\":[1]}".utf8),
                    notes: ["/\(replaced): \(words) not UTF-8 in the key became U+FFFD"]
                ))
        let object = try JSONValue(validating: key, allowingBrokenUTF8: true)
        #expect(object.members().map(\.key) == [replaced])
        #expect(object[replaced]?.elements().count == 1)
    }

    @Test("Several things wrong with one string are several notes")
    func several() throws {
        let text = Array(#"["\u0000\ud800"#.utf8) + [0xFF] + Array(#"\u0000"]"#.utf8)
        #expect(
            try form(text)
                == .nearest(
                    Array("[\"\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\"]".utf8),
                    notes: [
                        "/0: 2 times \\u0000 became U+FFFD", "/0: a lone surrogate became U+FFFD",
                        "/0: 1 byte that is not UTF-8 became U+FFFD",
                    ]))
    }

    @Test("After a hundred notes only their number is reported")
    func manyNotes() throws {
        let hundred = try notes("[" + Array(repeating: #""\u0000""#, count: 100).joined(separator: ",") + "]")
        #expect(hundred.count == 100)
        #expect(hundred.last == "/99: \\u0000 became U+FFFD")
        let more = try notes("[" + Array(repeating: #""\u0000""#, count: 107).joined(separator: ",") + "]")
        #expect(more.dropLast() == hundred[...])
        #expect(more.last == "… and 7 more")
    }

    @Test("Long numbers and long pointers are cut off in notes")
    func longNotes() throws {
        let digits = String(repeating: "7", count: 140_000)
        let number = "the number \(digits.prefix(40))… of 140000 characters is out of range and became a string"
        #expect(try notes("[\(digits)]") == ["/0: \(number)"])
        let keys = [
            (String(repeating: "k", count: 999), "/" + String(repeating: "k", count: 999)),
            (String(repeating: "k", count: 1_000), "/" + String(repeating: "k", count: 999) + "…"),
            (String(repeating: "é", count: 20_000), "/" + String(repeating: "é", count: 499) + "…"),
            (String(repeating: #"\u00e9"#, count: 20_000), "/" + String(repeating: "é", count: 499) + "…"),
            (String(repeating: #"\ud800"#, count: 20_000), "/" + String(repeating: "\u{FFFD}", count: 333) + "…"),
        ]
        for (key, pointer) in keys {
            #expect(try notes("{\"\(key)\":[\"\\u0000\"]}").last?.hasPrefix(pointer) == true)
            #expect(try notes("{\"\(key)\":[\"\\u0000\"]}").allSatisfy { $0.utf8.count < 1_100 })
        }
    }

    @Test("Notes are one line each, without NUL")
    func lines() throws {
        let all = try notes(#"{"a\u0000\n\r\u0001\u0085\u2028\u2029b":"\u0000"}"#)
        #expect(all.last == "/a\u{FFFD}\\u000a\\u000d\\u0001\\u0085\\u2028\\u2029b: \\u0000 became U+FFFD")
    }

    @Test("Up to 1,000 levels are exact, deeper ones are not held at all", arguments: ["[]", #"{"a":}"#])
    func depth(brackets: String) throws {
        let (open, close) = (brackets.dropLast(), brackets.suffix(1))
        func nested(_ depth: Int, around inner: String = "1") -> String {
            String(repeating: String(open), count: depth) + inner + String(repeating: String(close), count: depth)
        }
        #expect(try form(nested(1_000)) == .exact)
        #expect(
            try form(nested(1_001, around: #""\u0000""#))
                == .none(notes: ["(the whole value): it is 1,001 levels deep, jsonb is given up to 1,000"]))
        #expect(
            try form(nested(200_000))
                == .none(notes: ["(the whole value): it is 200,000 levels deep, jsonb is given up to 1,000"]))
        let broken = try form("[\"\\u0000\",\(nested(1_000))]")
        #expect(broken == .none(notes: ["(the whole value): it is 1,001 levels deep, jsonb is given up to 1,000"]))
        #expect(try notes("[\"\\u0000\",\(nested(999))]") == ["/0: \\u0000 became U+FFFD"])
    }

    @Test("Up to 32 MiB are exact, more is not held at all, and neither is a nearest form of more")
    func size() throws {
        let limit = 32 << 20
        func string(_ count: Int, _ end: String = "") -> String {
            "\"" + String(repeating: "a", count: count - 2 - end.utf8.count) + end + "\""
        }
        #expect(try form(string(limit)) == .exact)
        #expect(
            try form(string(limit + 1))
                == .none(notes: ["(the whole value): it has 33,554,433 bytes, jsonb is given up to 33,554,432"]))
        guard case .nearest(let nearest, _) = try form(string(limit, #"\u0000"#)) else {
            Issue.record("no nearest form")
            return
        }
        #expect(nearest.count == limit - 3)
        let growing = Array(string(limit - 1).utf8.dropLast()) + [0xFF, UInt8(ascii: "\"")]
        #expect(
            try form(growing)
                == .none(
                    notes: ["(the whole value): the nearest form has 33,554,434 bytes, jsonb is given up to 33,554,432"]
                ))
    }

    @Test("Duplicates are found among few keys and many, short and long, however they are spelt")
    func keys() throws {
        for count in [2, 31, 32, 33, 34, 1_000] {
            for stem in ["", "k", "a_common_stem_of_", "é"] {
                for end in ["", "_and_a_common_end"] {
                    let members = (0..<count).map { "\"\(stem)\($0)\(end)\":\($0)" }
                    #expect(try form("{\(members.joined(separator: ","))}") == .exact)
                    let again = members + ["\"\(stem)\\u0030\(end)\":7"]
                    let rest = members.dropFirst() + ["\"\(stem)\\u0030\(end)\":7"]
                    #expect(
                        try form("{\(again.joined(separator: ","))}")
                            == .nearest(
                                Array("{\(rest.joined(separator: ","))}".utf8),
                                notes: ["/\(stem)0\(end): of 2 values of this key the last one was kept"]))
                }
            }
        }
    }

    @Test("Keys of any length are distinguished", arguments: 0..<40)
    func keyLengths(length: Int) throws {
        let key = String(repeating: "a", count: length)
        #expect(try form("{\"\(key)\":1,\"\(key)a\":2}") == .exact)
        #expect(try form("{\"\(key)\":1,\"\(key)\":2}") != .exact)
        for place in 0..<length {
            let other = key.prefix(place) + "b" + key.dropFirst(place + 1)
            #expect(try form("{\"\(key)\":1,\"\(other)\":2}") == .exact)
        }
    }

    /// Quadratic time would be hours.
    @Test(
        "A hundred thousand keys, alike at both ends or the same, do not take quadratic time", .timeLimit(.minutes(10)))
    func manyKeys() throws {
        let members = (0..<100_000).map { "\"the same start \($0 + 100_000) the same end\":\($0)" }
        #expect(try form("{\(members.joined(separator: ","))}") == .exact)
        let same = Array(repeating: #""k":1"#, count: 100_000).joined(separator: ",")
        #expect(
            try form("{\(same)}")
                == .nearest(
                    Array(#"{"k":1}"#.utf8), notes: ["/k: of 100000 values of this key the last one was kept"]))
    }

    @Test("Keys beyond those that are kept ready to be compared are compared all the same, however they are written")
    func moreKeysThanReady() throws {
        // Over 65,536 in the outer object before the inner ones, in one of these, and behind them.
        let keys = (0..<70_000).map { "k\($0)" }
        let plain = keys.map { "\"\($0)\":0" }.joined(separator: ",")
        #expect(try form("{\(plain)}") == .exact)
        #expect(try form("{\(plain),\"o\":{\(plain)},\"p\":{\"k1\":1},\"q\":1}") == .exact)
        #expect(try form(#"{\#(plain),"\u00e9":1,"\ue000":2,"\ud83d\ude00":3}"#) == .exact)
        for (twice, key) in [
            (#""k7":1,"\u006b7":2"#, "k7"), (#""\u00e9":1,"é":2"#, "é"), (#""k7":1,"k\u0037":2"#, "k7"),
        ] {
            let text = "{\(plain),\(twice)}"
            guard case .nearest(let nearest, let told) = try form(text) else {
                Issue.record("a key that stands twice is missed")
                continue
            }
            let count = key == "k7" ? 3 : 2
            #expect(told == ["/\(key): of \(count) values of this key the last one was kept"])
            #expect(try JSONValue(validating: nearest)[key]?.int == 2)
            #expect(try JSONValue(validating: nearest).members().count == (key == "k7" ? 70_000 : 70_001))
        }
        // Half a character, and bytes that are not UTF-8, become the same.
        let broken = Array("{\(plain),".utf8) + Array(#""\ud800":1,""#.utf8) + [0xFF] + Array(#"":2,"\ufffd":3}"#.utf8)
        guard case .nearest(let nearest, _) = try form(broken) else {
            Issue.record("broken keys are missed")
            return
        }
        #expect(try JSONValue(validating: nearest).members().count == 70_001)
    }

    @Test("A nearest form that is over 1.5 times as large is given up beyond a MiB")
    func growth() throws {
        let small = Array(repeating: UInt8(0xFF), count: 200_000)
        guard case .nearest(let nearest, _) = try form([0x22] + small + [0x22]) else {
            Issue.record("a small one is given up")
            return
        }
        #expect(nearest.count == 600_002)
        let large = Array(repeating: UInt8(0xFF), count: 2 << 20)
        guard case .none(let notes) = try form([0x22] + large + [0x22]) else {
            Issue.record("a large one is made")
            return
        }
        #expect(notes.count == 1)
    }
}
