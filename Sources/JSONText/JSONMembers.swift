/// An object's members in their order, duplicate keys included, each found when it is asked for: a large object costs
/// no memory beside its text.
package struct JSONMembers: Sequence, Sendable {
    package struct Iterator: IteratorProtocol {
        private let text: ValidatedText
        private var coming: JSONWalker.Member?

        fileprivate init(text: ValidatedText, first: JSONWalker.Member?) {
            self.text = text
            coming = first
        }

        package mutating func next() -> JSONMember? {
            guard let member = coming else { return nil }
            coming = text.walk { $0.member(after: member.value.upperBound) }
            return JSONMember(text: text, keyRange: member.key, valueRange: member.value)
        }
    }

    private let text: ValidatedText
    private let first: JSONWalker.Member?

    /// The members of the object that begins there.
    init(text: ValidatedText, object start: Int) {
        self.text = text
        first = text.walk { $0.firstMember(ofObjectAt: start) }
    }

    /// No member.
    init() {
        text = .empty
        first = nil
    }

    package func makeIterator() -> Iterator { Iterator(text: text, first: first) }
}

/// A member of an object.
package struct JSONMember: Sendable {
    fileprivate let text: ValidatedText
    fileprivate let keyRange: Range<Int>
    fileprivate let valueRange: Range<Int>

    /// The decoded key; each lone surrogate and each byte that is not UTF-8 becomes U+FFFD.
    package var key: String { decodeJSONString(text.bytes[keyRange].dropFirst().dropLast()) }

    /// The key as it was written, quotes included.
    package var spelling: ArraySlice<UInt8> { text.bytes[keyRange] }

    package var value: JSONValue { JSONValue(text: text, range: valueRange) }

    /// Where the member begins in its text, which identifies it.
    package var position: Int { keyRange.lowerBound }

    /// Whether the decoded key is this one, compared by UTF-8: spellings that Unicode holds to be equivalent stay apart.
    package func isNamed(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { name in
            text.bytes.withUnsafeBytes { text in
                let key = (keyRange.lowerBound + 1)..<(keyRange.upperBound - 1)
                guard endOfPlainText(in: text, from: key.lowerBound) == key.upperBound else {
                    return isString(in: text, at: keyRange.lowerBound, equalTo: Array(name))
                }
                return key.count == name.count && text[key].elementsEqual(name)
            }
        }
    }
}

/// Whether the string whose opening quote is there decodes to these bytes of UTF-8. Nothing is copied, however long it
/// is.
func isString(in text: UnsafeRawBufferPointer, at start: Int, equalTo wanted: [UInt8]) -> Bool {
    var pieces = JSONStringPieces(text, from: start + 1)
    var rest = wanted[...]
    func take(_ bytes: some Collection<UInt8>) -> Bool {
        guard rest.starts(with: bytes) else { return false }
        rest = rest.dropFirst(bytes.count)
        return true
    }
    while let piece = pieces.next() {
        let isSame =
            switch piece {
            case .text(let range): take(text[range])
            case .escaped(let scalar): take(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            case .loneSurrogate, .brokenByte: take(replacementCharacter)
            }
        if !isSame { return false }
    }
    return rest.isEmpty
}
