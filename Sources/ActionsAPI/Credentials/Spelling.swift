/// A text of visible ASCII in whatever spelling it may be quoted: as it is, with escapes of JSON (`\/`, `\u002F`), also
/// those of a string within a string, or percent-encoded. One pass, whatever the bytes.
struct Spelling {
    private let wanted: [UInt8]

    init(_ text: String) { wanted = Array(text.utf8) }

    func occurs(in bytes: UnsafeRawBufferPointer) -> Bool { firstMatch(in: bytes, from: 0) != nil }

    func replaced(in bytes: [UInt8], by replacement: String) -> [UInt8] {
        var result: [UInt8] = []
        var end = 0
        while let match = bytes.withUnsafeBytes({ firstMatch(in: $0, from: end) }) {
            result += bytes[end..<match.lowerBound]
            result += replacement.utf8
            end = match.upperBound
        }
        return end == 0 ? bytes : result + bytes[end...]
    }

    private func firstMatch(in bytes: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        for position in start..<bytes.count {
            switch bytes[position] {
            case wanted[0], UInt8(ascii: "%"): break
            // The first of a row of them: the others belong to it.
            case UInt8(ascii: "\\") where position == start || bytes[position - 1] != UInt8(ascii: "\\"): break
            default: continue
            }
            if let end = endOfMatch(in: bytes, at: position) { return position..<end }
        }
        return nil
    }

    private func endOfMatch(in bytes: UnsafeRawBufferPointer, at start: Int) -> Int? {
        var position = start
        for byte in wanted {
            guard let length = Self.length(of: byte, in: bytes, at: position) else { return nil }
            position += length
        }
        return position
    }

    /// - Returns: nil if it is another character.
    private static func length(of wanted: UInt8, in bytes: UnsafeRawBufferPointer, at start: Int) -> Int? {
        let rest = bytes[start...]
        let backslashes = rest.prefix { $0 == UInt8(ascii: "\\") }.count
        let character = rest.dropFirst(backslashes)
        if backslashes > 0, character.starts(with: "u00".utf8), hexadecimal(character.dropFirst(3)) == wanted {
            return backslashes + 5
        }
        if backslashes > 0, wanted == UInt8(ascii: "\\") { return 1 }
        if character.first == UInt8(ascii: "%"), hexadecimal(character.dropFirst()) == wanted { return backslashes + 3 }
        return character.first == wanted ? backslashes + 1 : nil
    }

    /// The byte that the next two digits name.
    private static func hexadecimal(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt8? {
        UInt8(String(decoding: digits.prefix(2), as: UTF8.self), radix: 16)
    }
}
