import JSONText

extension JSONValue {
    /// Bytes that two values share if and only if they differ in nothing but white space, the order of members and the
    /// spelling of strings, in which a lone surrogate counts as U+FFFD. The recursion is bounded by the nesting that
    /// the manifest's reader admits.
    var canonical: [UInt8] {
        var text: [UInt8] = []
        appendCanonical(to: &text)
        return text
    }

    private func appendCanonical(to text: inout [UInt8]) {
        switch kind {
        case .object:
            // Of a key that occurs twice the last one counts, as in PostgreSQL.
            let members = Dictionary(members().map { (Array($0.key.utf8), $0.value) }, uniquingKeysWith: { $1 })
                .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            text.append(UInt8(ascii: "{"))
            for (key, value) in members {
                Self.append(key, to: &text)
                value.appendCanonical(to: &text)
            }
            text.append(UInt8(ascii: "}"))
        case .array:
            text.append(UInt8(ascii: "["))
            for element in elements() {
                element.appendCanonical(to: &text)
                text.append(UInt8(ascii: ","))
            }
            text.append(UInt8(ascii: "]"))
        case .string: Self.append(Array((string ?? "").utf8), to: &text)
        case .number, .bool, .null: text += bytes
        }
    }

    /// With its length before it, so that no character needs an escape.
    private static func append(_ string: [UInt8], to text: inout [UInt8]) {
        text += "\"\(string.count):".utf8
        text += string
    }
}
