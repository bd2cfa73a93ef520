/// One value inside a JSON text that was validated as a whole; its bytes are never rendered again.
package struct JSONValue: Sendable {
    let text: ValidatedText
    let range: Range<Int>
    /// `jsonb` is known to hold the value exactly.
    let isKnownToBeExact: Bool

    /// Validates `bytes` strictly: RFC 8259 and UTF-8, one value, white space around it, a byte order mark skipped.
    ///
    /// Accepted as syntax, as the grammar has it: `\u0000`, a lone surrogate escape such as `\ud800`, duplicate keys,
    /// numbers of any length, nesting of any depth.
    ///
    /// - Parameter allowsBrokenUTF8: inside strings, keys included, each byte that is not UTF-8 is kept; decoded it
    ///   becomes U+FFFD.
    package init(
        validating bytes: [UInt8], allowingBrokenUTF8 allowsBrokenUTF8: Bool = false
    ) throws(JSONSyntaxError) {
        let (range, outline) = try bytes.withUnsafeBufferPointer { (buffer) throws(JSONSyntaxError) in
            var validator = JSONValidator(UnsafeRawBufferPointer(buffer), allowingBrokenUTF8: allowsBrokenUTF8)
            return (try validator.validate(), validator.outline)
        }
        self.init(text: ValidatedText(bytes, outline: outline), range: range)
    }

    init(text: ValidatedText, range: Range<Int>, isKnownToBeExact: Bool = false) {
        self.text = text
        self.range = range
        self.isKnownToBeExact = isKnownToBeExact
    }

    package var kind: JSONKind { JSONKind(firstByte: text.bytes[range.lowerBound]) }

    /// The value's own bytes, without white space around them; shares storage with the text.
    package var bytes: ArraySlice<UInt8> { text.bytes[range] }

    /// An object's members in their order, duplicate keys included; empty for any other kind.
    package func members() -> [(key: String, value: JSONValue)] {
        lazyMembers().map { ($0.key, $0.value) }
    }

    /// The same, each found when it is asked for.
    package func lazyMembers() -> JSONMembers {
        kind == .object ? JSONMembers(text: text, object: range.lowerBound) : JSONMembers()
    }

    /// An array's elements; empty for any other kind.
    package func elements() -> JSONElements {
        kind == .array ? JSONElements(text: text, array: range.lowerBound) : JSONElements()
    }

    /// The member of that key, the last one of duplicates. Keys are compared by their UTF-8, so
    /// that spellings that Unicode holds to be equivalent stay apart.
    package subscript(key: String) -> JSONValue? {
        guard kind == .object else { return nil }
        var found: JSONMember?
        for member in lazyMembers() where member.isNamed(key) { found = member }
        return found?.value
    }

    /// The decoded string; each lone surrogate and each byte that is not UTF-8 becomes U+FFFD. Nil for any other kind.
    package var string: String? {
        kind == .string ? decodedString(in: range) : nil
    }

    /// A string that holds a lone surrogate or bytes that are not UTF-8: `string` is not all that was written.
    package var isBrokenString: Bool {
        guard kind == .string else { return false }
        return text.bytes.withUnsafeBytes { text in
            var pieces = JSONStringPieces(text, from: range.lowerBound + 1)
            while let piece = pieces.next() {
                switch piece {
                case .loneSurrogate, .brokenByte: return true
                case .text, .escaped: continue
                }
            }
            return false
        }
    }

    /// An integer written as one: `3` and `-2`, but neither `3.0` nor `1e3`. Nil outside of 64 bits.
    package var int: Int? {
        kind == .number ? Int(String(decoding: bytes, as: UTF8.self)) : nil
    }

    package var bool: Bool? {
        kind == .bool ? text.bytes[range.lowerBound] == UInt8(ascii: "t") : nil
    }

    package var isNull: Bool { kind == .null }

    /// Whether any key or string within the value, decoded, is such a one. One pass, whatever the nesting.
    package func containsString(where isWanted: (String) -> Bool) -> Bool {
        text.bytes.withUnsafeBytes { bytes in
            var tokens = JSONTokens(bytes, in: range)
            while let token = tokens.next() {
                switch token {
                case .key(let range, _), .string(let range, _): if isWanted(decodedString(in: range)) { return true }
                case .open, .close, .number, .word: break
                }
            }
            return false
        }
    }

    /// How many arrays and objects lie within one another: 0 for a scalar, 1 for `[]`. Scans the value again.
    package var depth: Int {
        text.walk { $0.depth(ofValueIn: range) }
    }

    private func decodedString(in range: Range<Int>) -> String {
        decodeJSONString(text.bytes[range].dropFirst().dropLast())
    }
}
