/// U+FFFD in UTF-8.
let replacementCharacter: [UInt8] = [0xEF, 0xBF, 0xBD]

/// The text that the bytes between a valid JSON string's quotes encode; each lone surrogate and each byte that is no
/// UTF-8 becomes one U+FFFD.
func decodeJSONString(_ content: ArraySlice<UInt8>) -> String {
    if !content.contains(UInt8(ascii: "\\")), let text = String(validating: content, as: UTF8.self) { return text }
    var decoded: [UInt8] = []
    content.withUnsafeBytes { appendDecoded(JSONStringPieces($0, from: 0), of: $0, nulBecomes: [0], to: &decoded) }
    return String(decoding: decoded, as: UTF8.self)
}

/// Appends what is left of the string as valid UTF-8, with `nul` for each `\u0000`.
func appendDecoded(
    _ string: JSONStringPieces, of text: UnsafeRawBufferPointer, nulBecomes nul: [UInt8], to decoded: inout [UInt8]
) {
    var pieces = string
    while let piece = pieces.next() {
        switch piece {
        case .text(let range): decoded.append(contentsOf: text[range])
        case .escaped("\0"): decoded.append(contentsOf: nul)
        case .escaped(let scalar):
            decoded.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        case .loneSurrogate, .brokenByte: decoded.append(contentsOf: replacementCharacter)
        }
    }
}
