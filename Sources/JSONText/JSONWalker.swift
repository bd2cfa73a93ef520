/// Finds the parts of a value in a text that is known to be valid: by structure alone, and without recursion.
struct JSONWalker {
    private let text: UnsafeRawBufferPointer
    /// Of the text: what it knows is not walked through.
    private let outline: JSONOutline?

    init(_ text: UnsafeRawBufferPointer, outline: JSONOutline? = nil) {
        self.text = text
        self.outline = outline
    }

    /// A key's range, quotes included, and its value's.
    typealias Member = (key: Range<Int>, value: Range<Int>)

    /// Nil if the object is empty.
    func firstMember(ofObjectAt start: Int) -> Member? {
        member(at: afterWhiteSpace(start + 1))
    }

    /// The member behind the one whose value ends there; nil if that was the last one.
    func member(after end: Int) -> Member? {
        member(at: afterComma(end))
    }

    private func member(at position: Int) -> Member? {
        guard text[position] != UInt8(ascii: "}") else { return nil }
        let key = position..<endOfString(at: position)
        return (key, valueOfMember(keyEndingAt: key.upperBound))
    }

    func valueOfMember(keyEndingAt end: Int) -> Range<Int> {
        let start = afterWhiteSpace(afterWhiteSpace(end) + 1)
        return start..<endOfValue(at: start)
    }

    /// Nil if the array is empty.
    func firstElement(ofArrayAt start: Int) -> Range<Int>? {
        element(at: afterWhiteSpace(start + 1))
    }

    /// The element behind the one that ends there; nil if that was the last one.
    func element(after end: Int) -> Range<Int>? {
        element(at: afterComma(end))
    }

    private func element(at position: Int) -> Range<Int>? {
        text[position] == UInt8(ascii: "]") ? nil : position..<endOfValue(at: position)
    }

    func depth(ofValueIn range: Range<Int>) -> Int {
        var (open, deepest) = (0, 0)
        var position = range.lowerBound
        while position < range.upperBound {
            switch text[position] {
            case UInt8(ascii: "\""):
                position = endOfString(at: position)
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open += 1
                deepest = max(deepest, open)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): open -= 1
            default: break
            }
            position += 1
        }
        return deepest
    }

    private func endOfValue(at start: Int) -> Int {
        switch text[start] {
        case UInt8(ascii: "\""): endOfString(at: start)
        case UInt8(ascii: "["): outline?.array(at: start)?.range.upperBound ?? endOfContainer(at: start)
        case UInt8(ascii: "{"): endOfContainer(at: start)
        default: endOfScalar(at: start)
        }
    }

    private func endOfString(at start: Int) -> Int {
        var position = start + 1
        while true {
            position = endOfPlainText(in: text, from: position)
            switch text[position] {
            case UInt8(ascii: "\""): return position + 1
            case UInt8(ascii: "\\"): position += 2
            default: position += 1
            }
        }
    }

    private func endOfContainer(at start: Int) -> Int {
        var open = 0
        var position = start
        while true {
            switch text[position] {
            case UInt8(ascii: "\""):
                position = endOfString(at: position)
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                open -= 1
                if open == 0 { return position + 1 }
            default: break
            }
            position += 1
        }
    }

    func endOfScalar(at start: Int) -> Int {
        var position = start
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") { break }
            if isWhiteSpace(byte) { break }
            position += 1
        }
        return position
    }

    /// The next element or key, or the closing bracket.
    func afterComma(_ position: Int) -> Int {
        let next = afterWhiteSpace(position)
        return text[next] == UInt8(ascii: ",") ? afterWhiteSpace(next + 1) : next
    }

    private func afterWhiteSpace(_ position: Int) -> Int {
        var position = position
        while isWhiteSpace(text[position]) { position += 1 }
        return position
    }
}
