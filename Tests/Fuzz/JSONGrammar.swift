/// A second opinion on what is JSON: RFC 8259 written as recursive descent, a function for each rule. Fit for short
/// texts alone, as its recursion is as deep as the text nests.
struct JSONGrammar {
    private var rest: ArraySlice<UInt8>

    static func accepts(_ text: [UInt8]) -> Bool {
        // What is not ASCII may stand in strings alone, so that the text's UTF-8 can be checked as a whole.
        guard String(validating: text, as: UTF8.self) != nil else { return false }
        var grammar = JSONGrammar(rest: text.starts(with: [0xEF, 0xBB, 0xBF]) ? text[3...] : text[...])
        return grammar.value() && grammar.rest.isEmpty
    }

    /// With the white space around it.
    private mutating func value() -> Bool {
        skip(" \t\r\n")
        let isValue =
            switch rest.first {
            case UInt8(ascii: "{"): list(closedBy: "}") { $0.string() && $0.padded(":") && $0.value() }
            case UInt8(ascii: "["): list(closedBy: "]") { $0.value() }
            case UInt8(ascii: "\""): string()
            default: word("true") || word("false") || word("null") || number()
            }
        skip(" \t\r\n")
        return isValue
    }

    private mutating func list(closedBy end: String, item: (inout JSONGrammar) -> Bool) -> Bool {
        rest.removeFirst()
        if padded(end) { return true }
        repeat {
            skip(" \t\r\n")
            guard item(&self) else { return false }
        } while padded(",")
        return padded(end)
    }

    private mutating func string() -> Bool {
        guard word("\"") else { return false }
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return true
            case 0..<0x20: return false
            case UInt8(ascii: "\\"): guard escape() else { return false }
            default: continue
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        guard let letter = rest.popFirst() else { return false }
        guard letter == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(letter) }
        defer { rest = rest.dropFirst(4) }
        return rest.count >= 4 && rest.prefix(4).allSatisfy("0123456789abcdefABCDEF".utf8.contains)
    }

    private mutating func number() -> Bool {
        _ = word("-")
        if !word("0"), skip("0123456789") == 0 { return false }
        if word("."), skip("0123456789") == 0 { return false }
        guard word("e") || word("E") else { return true }
        _ = word("+") || word("-")
        return skip("0123456789") > 0
    }

    private mutating func padded(_ text: String) -> Bool {
        let before = rest
        skip(" \t\r\n")
        if word(text) { return true }
        rest = before
        return false
    }

    private mutating func word(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    /// - Returns: how many bytes were skipped.
    @discardableResult
    private mutating func skip(_ bytes: String) -> Int {
        let before = rest.count
        rest = rest.drop(while: bytes.utf8.contains)
        return before - rest.count
    }
}
