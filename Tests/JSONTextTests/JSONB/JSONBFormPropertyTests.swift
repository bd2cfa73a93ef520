import JSONText
import Testing

@Suite("The nearest form of generated values")
struct JSONBFormPropertyTests {
    @Test("It is strictly valid and exact, and only what needs it is changed", arguments: 0..<8)
    func nearest(seed: UInt64) throws {
        var values = RandomJSON(seed: seed)
        var changed = 0
        for _ in 0..<500 {
            let bytes = values.next()
            let value = try JSONValue(validating: bytes, allowingBrokenUTF8: true)
            guard case .nearest(let nearest, let notes) = value.jsonbForm() else {
                _ = try JSONValue(validating: bytes)
                continue
            }
            changed += 1
            #expect(nearest != bytes)
            #expect(try JSONValue(validating: nearest).jsonbForm() == .exact)
            #expect(!notes.isEmpty && notes.count <= 101)
            for note in notes {
                #expect(note.hasPrefix("/") || note.hasPrefix("(the whole value)") || note.hasPrefix("… and "))
                #expect(!note.unicodeScalars.contains { $0.value < 0x20 })
            }
        }
        #expect(changed > 100)
    }
}
