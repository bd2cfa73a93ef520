/// The text that the bytes between a valid JSON string's quotes stand for.
func decodeJSONString(_ content: ArraySlice<UInt8>) -> String {
    guard content.contains(UInt8(ascii: "\\")) else { return String(decoding: content, as: UTF8.self) }
    var decoded: [UInt8] = []
    decoded.reserveCapacity(content.count)
    var position = content.startIndex
    while position < content.endIndex {
        let byte = content[position]
        guard byte == UInt8(ascii: "\\") else {
            decoded.append(byte)
            position += 1
            continue
        }
        let escape = content[position + 1]
        guard escape == UInt8(ascii: "u") else {
            decoded.append(simpleEscape(escape))
            position += 2
            continue
        }
        var unit = codeUnit(in: content, at: position)
        position += 6
        if isHighSurrogate(unit), position < content.endIndex, content[position] == UInt8(ascii: "\\"),
            content[position + 1] == UInt8(ascii: "u")
        {
            let low = codeUnit(in: content, at: position)
            if isLowSurrogate(low) {
                unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
                position += 6
            }
        }
        // Unicode.Scalar refuses surrogates, so a lone one becomes the replacement character here.
        decoded.append(contentsOf: String(Unicode.Scalar(unit) ?? "\u{FFFD}").utf8)
    }
    return String(decoding: decoded, as: UTF8.self)
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

private func codeUnit(in content: ArraySlice<UInt8>, at backslash: Int) -> UInt32 {
    content[(backslash + 2)..<(backslash + 6)].reduce(0) { $0 << 4 | (hexDigitValue($1) ?? 0) }
}

private func isHighSurrogate(_ unit: UInt32) -> Bool { unit >> 10 == 0x36 }

private func isLowSurrogate(_ unit: UInt32) -> Bool { unit >> 10 == 0x37 }

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
