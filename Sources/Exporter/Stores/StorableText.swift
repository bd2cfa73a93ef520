/// A text that a `text` column takes: NUL, the one character that PostgreSQL has no room for, becomes U+FFFD.
func storable(_ text: String?) -> String? {
    guard let text, text.utf8.contains(0) else { return text }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
        if byte == 0 { bytes += "\u{FFFD}".utf8 } else { bytes.append(byte) }
    }
    return String(decoding: bytes, as: UTF8.self)
}
