// Scans that the validator and the walker share.

@inline(__always)
func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
}

/// The first byte from `position` on that is a quote, a backslash, a control character or not ASCII;
/// the end of the text if there is none.
///
/// Eight bytes a step: a byte's top bit is set in `marks` where the byte is one of those. Subtraction may borrow
/// into later bytes and mark them wrongly, but never into earlier ones, so the lowest mark is always right.
@inline(__always)
func endOfPlainText(in text: UnsafeRawBufferPointer, from position: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    var position = position
    while text.count - position >= 8 {
        let word = UInt64(littleEndian: text.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let marks =
            (word | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
                | ((word &- ones &* 0x20) & ~word)) & tops
        if marks != 0 { return position + marks.trailingZeroBitCount / 8 }
        position += 8
    }
    while position < text.count {
        let byte = text[position]
        if byte == 0x22 || byte == 0x5C || byte < 0x20 || byte >= 0x80 { break }
        position += 1
    }
    return position
}

/// How many bytes the UTF-8 sequence at `position` has, or nil if it is none (RFC 3629, section 4: no overlong
/// forms, no surrogates, nothing above U+10FFFF).
@inline(__always)
func lengthOfUTF8Sequence(in text: UnsafeRawBufferPointer, at position: Int) -> Int? {
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch text[position] {
    case 0x00...0x7F: return 1
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: length = 3
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: length = 4
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: return nil
    }
    guard text.count - position >= length, second.contains(text[position + 1]) else { return nil }
    for index in 2..<4 where index < length {
        guard text[position + index] & 0xC0 == 0x80 else { return nil }
    }
    return length
}
