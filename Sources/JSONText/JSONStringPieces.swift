/// The content of a valid JSON string, piece by piece, up to its closing quote or the end of the text.
struct JSONStringPieces {
    enum Piece {
        /// Bytes that are literal: valid UTF-8 without an escape.
        case text(Range<Int>)
        /// An escape, or a pair of them, of this character; `\u0000` too.
        case escaped(Unicode.Scalar)
        /// A `\u` escape of half a surrogate pair without its other half.
        case loneSurrogate
        /// A byte that does not begin a UTF-8 sequence here; those behind it are judged again.
        case brokenByte
    }

    private let text: UnsafeRawBufferPointer
    /// Where the next piece begins.
    private(set) var position: Int

    init(_ text: UnsafeRawBufferPointer, from position: Int) {
        self.text = text
        self.position = position
    }

    @inline(__always)
    mutating func next() -> Piece? {
        let start = position
        while true {
            position = endOfPlainText(in: text, from: position)
            guard position < text.count, text[position] >= 0x80,
                let length = lengthOfUTF8Sequence(in: text, at: position)
            else { break }
            position += length
        }
        if position > start { return .text(start..<position) }
        guard position < text.count, text[position] != UInt8(ascii: "\"") else { return nil }
        if text[position] == UInt8(ascii: "\\") { return readEscape() }
        position += 1
        return .brokenByte
    }

    private mutating func readEscape() -> Piece {
        let letter = text[position + 1]
        guard letter == UInt8(ascii: "u") else {
            position += 2
            return .escaped(Unicode.Scalar(simpleEscape(letter)))
        }
        let unit = readCodeUnit()
        if let scalar = Unicode.Scalar(unit) { return .escaped(scalar) }
        guard isHighSurrogate(unit), text.count - position >= 6, text[position] == UInt8(ascii: "\\"),
            text[position + 1] == UInt8(ascii: "u")
        else { return .loneSurrogate }
        let afterHigh = position
        let low = readCodeUnit()
        guard isLowSurrogate(low),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
        else {
            position = afterHigh
            return .loneSurrogate
        }
        return .escaped(scalar)
    }

    private mutating func readCodeUnit() -> UInt16 {
        defer { position += 6 }
        return text[(position + 2)..<(position + 6)].reduce(0) { $0 << 4 | UInt16(hexDigitValue($1) ?? 0) }
    }
}

@inline(__always)
func hexDigitValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
}

private func isHighSurrogate(_ unit: UInt16) -> Bool { unit >> 10 == 0x36 }

private func isLowSurrogate(_ unit: UInt16) -> Bool { unit >> 10 == 0x37 }

private func simpleEscape(_ letter: UInt8) -> UInt8 {
    switch letter {
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "t"): 0x09
    default: letter
    }
}
