import Foundation
import JSONText
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Inputs that are the same JSON value")
struct CanonicalJSONTests {
    private func hash(_ text: String) -> [UInt8] { InputsHash.of(Array(text.utf8)) }

    private func canonical(_ text: String) throws -> [UInt8] { try JSONValue(validating: Array(text.utf8)).canonical }

    @Test(
        "White space, the order of members and the spelling of strings make no difference",
        arguments: [
            (#"{"a":1,"b":2}"#, "\u{FEFF} {\n\t\"a\" : 1 ,\r\n \"b\":2 } "),
            (#"{"a":1,"b":2}"#, #"{"b":2,"a":1}"#),
            (#"{"x":{"a":[{"c":1,"d":2}],"b":{}}}"#, #"{"x":{"b":{ },"a":[ {"d":2,"c":1} ]}}"#),
            (#"{"é":"é/\"漢"}"#, #"{"\u00e9":"\u00E9\/\u0022\u6f22"}"#),
            (#"{"a":"😀"}"#, #"{"\u0061":"\ud83d\uDE00"}"#),
            (#"{"a":"\n"}"#, #"{"a":"\u000a"}"#),
            // Of a key that occurs twice the last one counts, as in PostgreSQL.
            (#"{"a":1,"b":3,"a":2}"#, #"{"a":2,"b":3}"#),
        ])
    func same(first: String, second: String) throws {
        #expect(try canonical(first) == canonical(second))
        #expect(hash(first) == hash(second))
    }

    @Test(
        "Every other difference makes one: of a number's spelling, an array's order, a kind, a border between values",
        arguments: [
            (#"{"a":1}"#, #"{"a":1.0}"#), (#"{"a":100}"#, #"{"a":1e2}"#), (#"{"a":1e2}"#, #"{"a":1E2}"#),
            (#"{"a":-0}"#, #"{"a":0}"#),
            (#"{"a":[1,2]}"#, #"{"a":[2,1]}"#), (#"{"a":[1,2]}"#, #"{"a":[12]}"#),
            (#"{"a":[[1],2]}"#, #"{"a":[[1,2]]}"#),
            (#"{"a":[]}"#, #"{"a":{}}"#), (#"{"a":[]}"#, #"{"a":[[]]}"#), (#"{"a":[]}"#, #"{"a":[null]}"#),
            (#"{"a":1}"#, #"{"a":"1"}"#), (#"{"a":null}"#, #"{"a":"null"}"#), (#"{"a":true}"#, #"{"a":"true"}"#),
            (#"{"a":false}"#, #"{"a":null}"#), (#"{"a":null}"#, "{}"),
            (#"{"a":""}"#, #"{"a":null}"#), (#"{"a":"b"}"#, #"{"a":"B"}"#), (#"{"a":" b"}"#, #"{"a":"b"}"#),
            (#"{"a":1,"b":2}"#, #"{"a":2,"b":1}"#), (#"{"a":{"b":1}}"#, #"{"a":{},"b":1}"#),
            // Texts that would be alike if strings were laid side by side, or their quotes believed.
            (#"{"a":"b","c":"d"}"#, #"{"a":"b\"1:c\"1:d"}"#), (#"{"ab":"c"}"#, #"{"a":"bc"}"#),
            (#"["a","b"]"#, #"["a,\"1:b"]"#), (#"["ab","c"]"#, #"["a","bc"]"#),
            // A length is of bytes.
            (#"["é"]"#, #"["e"]"#), (#"["\u0000"]"#, #"[""]"#),
        ])
    func different(first: String, second: String) throws {
        #expect(try canonical(first) != canonical(second))
        #expect(hash(first) != hash(second))
    }

    @Test("Keys and texts that Unicode holds equivalent stay apart")
    func equivalentKeys() throws {
        let (composed, decomposed) = ("\u{E9}", "e\u{301}")
        #expect(composed == decomposed)
        #expect(hash("{\"\(composed)\":1}") != hash("{\"\(decomposed)\":1}"))
        #expect(hash("{\"a\":\"\(composed)\"}") != hash("{\"a\":\"\(decomposed)\"}"))
        let both = "{\"\(composed)\":1,\"\(decomposed)\":2}"
        #expect(hash(both) == hash("{\"\(decomposed)\":2,\"\(composed)\":1}"))
        #expect(hash(both) != hash("{\"\(decomposed)\":1,\"\(composed)\":2}"))
        #expect(hash(both) != hash("{\"\(decomposed)\":2}"))
    }

    @Test("Inputs that a manifest leaves out are the empty object")
    func absent() {
        #expect(InputsHash.none == hash("{}"))
        #expect(InputsHash.none == hash(" { } "))
        #expect(InputsHash.none != hash(#"{"a":null}"#))
    }

    @Test(
        "The hash is the SHA-256 of the canonical text: 32 bytes, the same in every release, for chains go on from it")
    func stable() throws {
        #expect(
            hash("{}").map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
        #expect(
            try canonical(#"{"b": [1, "x\"", {}], "a": -0.50}"#) == Array(#"{"1:a-0.50"1:b[1,"2:x",{},]}"#.utf8))
    }
}
