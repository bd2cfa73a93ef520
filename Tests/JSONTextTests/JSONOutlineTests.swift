import JSONText
import Testing

/// What is found while a text is validated is what is found by looking at it again. Only arrays that are members are noted,
/// so that an array by itself shows the other way.
@Suite("Elements that were found while the text was validated")
struct JSONOutlineTests {
    private static func value(_ text: String) throws -> JSONValue {
        try JSONValue(validating: Array(text.utf8), allowingBrokenUTF8: true)
    }

    private static func elements(of value: JSONValue?) -> [[UInt8]] {
        (value?.elements()).map { $0.map { Array($0.bytes) } } ?? []
    }

    @Test("Each has the bytes, and the form in jsonb, that it has by itself", arguments: 0..<8)
    func generated(seed: UInt64) throws {
        var values = RandomJSON(seed: seed)
        var exact = 0
        for _ in 0..<200 {
            let elements = (0..<5).map { _ in values.next() }
            let array = Array("[".utf8) + elements.joined(separator: Array(" ,\n".utf8)) + Array(" ]".utf8)
            for (head, tail) in [(#"{"results":"#, "}"), (#"{"x":[[1]],"data":{"results": "#, #","errors":[0]}}"#)] {
                let text = try JSONValue(
                    validating: Array(head.utf8) + array + Array(tail.utf8), allowingBrokenUTF8: true)
                let results = try #require(text["results"] ?? text["data"]?["results"])
                #expect(Array(results.bytes) == array)
                #expect(results.elements().map { Array($0.bytes) } == elements)
                #expect(results.elements().size == (5, elements.reduce(0) { $0 + $1.count }))
                for (found, element) in zip(results.elements(), elements) {
                    let form = try JSONValue(validating: element, allowingBrokenUTF8: true).jsonbForm()
                    #expect(found.jsonbForm() == form)
                    if form == .exact { exact += 1 }
                }
            }
        }
        #expect((500...1_900).contains(exact))
    }

    @Test("What jsonb cannot hold is noticed, wherever in an element it is")
    func doubts() throws {
        let many = (0..<40).map { #""k\#($0)":0"# }.joined(separator: ",")
        let doubtful = [
            #"{"a":1,"a":2}"#, #"{"a":{"b":1,"c":[{"d":1,"d":2}]}}"#, #"{"a":1,"\u0061":2}"#, #"{\#(many),"k0":1}"#,
            #"{\#(many)}"#, #""\u0000""#, #""\ud800""#, #""\ud83d\ude00""#, #"{"\u0000":1}"#, "1e400000", "1e5",
            String(repeating: "9", count: 200_000),
            String(repeating: "[", count: 1_200) + String(repeating: "]", count: 1_200),
            String(repeating: #"{"a":"#, count: 1_200) + "1" + String(repeating: "}", count: 1_200),
        ]
        for text in doubtful {
            let results = try #require(try Self.value(#"{"results":[{"x":1},\#(text),{"x":1}]}"#)["results"])
            let forms = results.elements().map { $0.jsonbForm() }
            #expect(forms == [.exact, try Self.value(text).jsonbForm(), .exact])
        }
    }

    @Test("Elements too small to be noted are still found, and so are arrays behind and within them")
    func small() throws {
        let ones = String(repeating: "1,", count: 50_000) + #"{"a":[2,3]}"#
        let text = try Self.value(#"{"results":[\#(ones)],"errors":[{"a":[4]},5]}"#)
        let elements = Self.elements(of: text["results"])
        #expect(elements.count == 50_001)
        #expect(elements.dropLast().allSatisfy { $0 == Array("1".utf8) })
        #expect(
            Self.elements(of: text["results"]?.elements().suffix(1).first?["a"]) == [Array("2".utf8), Array("3".utf8)])
        #expect(Self.elements(of: text["errors"]) == [Array(#"{"a":[4]}"#.utf8), Array("5".utf8)])
        #expect(text["results"]?.elements().size.count == 50_001)
    }

    @Test("Members behind an array are found, and the text of the elements from one on")
    func behind() throws {
        let text = try Self.value(#"{"a":[1, 2 ,[3]] ,"b":[],"c":[ [ ] ],"d":4}"#)
        #expect(text.members().map(\.key) == ["a", "b", "c", "d"])
        #expect(text["d"]?.int == 4)
        let elements = try #require(text["a"]).elements()
        #expect(
            String(decoding: elements.text(from: elements.index(after: elements.startIndex)), as: UTF8.self) == "2 ,[3]"
        )
        #expect(elements.index(elements.startIndex, offsetBy: 3) == elements.endIndex)
        #expect(text["b"]?.elements().isEmpty == true)
        #expect(Self.elements(of: text["c"]) == [Array("[ ]".utf8)])
    }
}
