/// Checks a whole text against RFC 8259, and against UTF-8 on request, in one pass; notes where the elements of arrays are
/// meanwhile, and which of them `jsonb` holds exactly.
///
/// Iterative: what is open is kept as one bit a level, so that nesting costs an eighth of a byte, not stack.
struct JSONValidator {
    private let text: UnsafeRawBufferPointer
    private let allowsBrokenUTF8: Bool
    private var position = 0
    private var nesting = BitStack()

    private(set) var outline = JSONOutline()
    /// Of the array whose elements are noted: how many levels are open in it, itself included; 0 outside of one.
    private var listDepth = 0
    private var elementStart = 0
    /// Of the element that is being read.
    private var keys = KeyWatch()

    /// - Parameter allowsBrokenUTF8: inside strings; outside of them such bytes are not JSON in any case.
    init(_ text: UnsafeRawBufferPointer, allowingBrokenUTF8 allowsBrokenUTF8: Bool) {
        self.text = text
        self.allowsBrokenUTF8 = allowsBrokenUTF8
    }

    /// The range of the one value, without the white space around it.
    mutating func validate() throws(JSONSyntaxError) -> Range<Int> {
        if text.count >= 3, text[0] == 0xEF, text[1] == 0xBB, text[2] == 0xBF { position = 3 }
        skipWhiteSpace()
        guard position < text.count else { throw fault("the text is empty") }
        let start = position
        var isComplete = false
        while !isComplete {
            if nesting.count == listDepth { beginElement() }
            if try readValue() { isComplete = try readAfterValue() }
        }
        let end = position
        skipWhiteSpace()
        guard position == text.count else { throw fault("something follows after the end of the value") }
        return start..<end
    }

    /// Reads a scalar or an empty container (true), or what opens a container up to its first value (false).
    private mutating func readValue() throws(JSONSyntaxError) -> Bool {
        guard position < text.count else { throw unexpectedEnd() }
        switch text[position] {
        case UInt8(ascii: "{"):
            position += 1
            skipWhiteSpace()
            if peek() == UInt8(ascii: "}") {
                position += 1
                return true
            }
            nesting.push(true)
            if listDepth > 0 { keys.opensObject() }
            try readKey()
            return false
        case UInt8(ascii: "["):
            let start = position
            position += 1
            skipWhiteSpace()
            if peek() == UInt8(ascii: "]") {
                position += 1
                return true
            }
            openArray(at: start)
            return false
        case UInt8(ascii: "\""): try readString()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try readNumber()
        case UInt8(ascii: "t"): try readWord("true")
        case UInt8(ascii: "f"): try readWord("false")
        case UInt8(ascii: "n"): try readWord("null")
        default: throw fault("a value is missing")
        }
        return true
    }

    /// Reads the closing brackets, commas and keys up to the next value (false), or to the end of the text's
    /// value (true).
    private mutating func readAfterValue() throws(JSONSyntaxError) -> Bool {
        while let isObject = nesting.top {
            if nesting.count == listDepth { endElement() }
            skipWhiteSpace()
            guard let byte = peek() else { throw unexpectedEnd() }
            if byte == UInt8(ascii: ",") {
                position += 1
                skipWhiteSpace()
                if isObject { try readKey() }
                return false
            }
            guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                throw fault(isObject ? "a comma or } is missing" : "a comma or ] is missing")
            }
            position += 1
            closes(isObject: isObject)
        }
        return true
    }

    // MARK: The outline

    private mutating func openArray(at start: Int) {
        let isMember = nesting.top == true
        nesting.push(false)
        if listDepth == 0 {
            guard isMember, nesting.count <= 3, text.count <= JSONOutline.longestText else { return }
            listDepth = nesting.count
            outline.opens(arrayAt: start)
        } else if nesting.count - listDepth > JSONBLimits.depth / 2 {
            keys.doubt()
        }
    }

    @inline(__always)
    private mutating func beginElement() {
        elementStart = position
        keys.reset()
    }

    @inline(__always)
    private mutating func endElement() {
        if !outline.append(elementStart..<position, isExact: !keys.isInDoubt) { listDepth = 0 }
    }

    @inline(__always)
    private mutating func closes(isObject: Bool) {
        if listDepth > 0 {
            if nesting.count == listDepth {
                outline.closes(arrayAt: position)
                listDepth = 0
            } else if isObject {
                keys.closesObject()
            }
        }
        nesting.pop()
    }

    // MARK: Keys and scalars

    private mutating func readKey() throws(JSONSyntaxError) {
        guard let byte = peek() else { throw unexpectedEnd() }
        guard byte == UInt8(ascii: "\"") else { throw fault("a key in double quotes is missing") }
        let start = position
        try readString(isKey: true)
        if listDepth > 0 { keys.reads(UnsafeRawBufferPointer(rebasing: text[(start + 1)..<(position - 1)])) }
        skipWhiteSpace()
        guard let colon = peek() else { throw unexpectedEnd() }
        guard colon == UInt8(ascii: ":") else { throw fault("a colon is missing after a key") }
        position += 1
        skipWhiteSpace()
    }

    @inline(__always)
    private mutating func readString(isKey: Bool = false) throws(JSONSyntaxError) {
        position += 1
        while true {
            position = endOfPlainText(in: text, from: position)
            guard position < text.count else { throw fault("the text ends inside a string") }
            switch text[position] {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\"):
                if isKey { keys.doubt() }
                try readEscape()
            case 0x0A, 0x0D: throw fault("a string is not closed on its line, or holds a bare line break")
            case 0x00..<0x20: throw fault("a control character in a string is not escaped")
            default:
                if let length = lengthOfUTF8Sequence(in: text, at: position) {
                    position += length
                } else {
                    guard allowsBrokenUTF8 else { throw fault("the text is not UTF-8") }
                    keys.doubt()
                    position += 1
                }
            }
        }
    }

    private mutating func readEscape() throws(JSONSyntaxError) {
        guard text.count - position >= 2 else { throw fault("the text ends inside a string", at: text.count) }
        switch text[position + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            guard text.count - position >= 6 else { throw fault("the text ends inside a string", at: text.count) }
            var unit: UInt32 = 0
            for index in 2..<6 {
                guard let digit = hexDigitValue(text[position + index]) else {
                    throw fault("\\u is not followed by four hexadecimal digits")
                }
                unit = unit << 4 | UInt32(digit)
            }
            // A NUL, or half of a surrogate pair, whose other half may be missing.
            if unit == 0 || (0xD800...0xDFFF).contains(unit) { keys.doubt() }
            position += 6
        default: throw fault("a backslash does not start a JSON escape")
        }
    }

    private mutating func readNumber() throws(JSONSyntaxError) {
        let start = position
        if text[position] == UInt8(ascii: "-") { position += 1 }
        if peek() == UInt8(ascii: "0") {
            position += 1
            if let next = peek(), isDigit(next) { throw fault("a number starts with a superfluous 0") }
        } else {
            try readDigits()
        }
        if peek() == UInt8(ascii: ".") {
            position += 1
            try readDigits()
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            keys.doubt()
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try readDigits()
        }
        // Without an exponent, `numeric` holds so many digits wherever the point is.
        if position - start > 1_000 { keys.doubt() }
    }

    private mutating func readDigits() throws(JSONSyntaxError) {
        let start = position
        while let byte = peek(), isDigit(byte) { position += 1 }
        guard position > start else { throw fault("a digit is missing in a number") }
    }

    private mutating func readWord(_ word: StaticString) throws(JSONSyntaxError) {
        for index in 0..<word.utf8CodeUnitCount {
            guard position + index < text.count else { throw unexpectedEnd() }
            guard text[position + index] == word.utf8Start[index] else { throw fault("a value is missing") }
        }
        position += word.utf8CodeUnitCount
    }

    @inline(__always)
    private mutating func skipWhiteSpace() {
        while position < text.count, isWhiteSpace(text[position]) { position += 1 }
    }

    @inline(__always)
    private func peek() -> UInt8? {
        position < text.count ? text[position] : nil
    }

    @inline(__always)
    private func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10
    }

    private func fault(_ reason: String, at offset: Int? = nil) -> JSONSyntaxError {
        JSONSyntaxError(offset: offset ?? position, reason: reason)
    }

    private func unexpectedEnd() -> JSONSyntaxError {
        fault("the text ends before its value is complete", at: text.count)
    }
}
