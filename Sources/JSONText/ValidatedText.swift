/// A text that was validated as a whole, which its values share.
final class ValidatedText: Sendable {
    let bytes: [UInt8]
    private let outline: JSONOutline

    static let empty = ValidatedText([], outline: JSONOutline())

    init(_ bytes: [UInt8], outline: JSONOutline) {
        self.bytes = bytes
        self.outline = outline
    }

    func walk<R>(_ body: (JSONWalker) throws -> R) rethrows -> R {
        try bytes.withUnsafeBytes { try body(JSONWalker($0, outline: outline)) }
    }

    /// Where the elements of the array that begins there are; nil if that is not known.
    func elements(ofArrayAt start: Int) -> Range<Int>? { outline.array(at: start)?.elements }

    func element(_ number: Int) -> JSONOutline.Element { outline.elements[number] }
}
