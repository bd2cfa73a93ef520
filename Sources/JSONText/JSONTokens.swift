/// The parts of a valid value from left to right, without recursion.
struct JSONTokens {
    enum Token {
        case open(isObject: Bool)
        case close(isObject: Bool)
        /// A key or a string: its range, quotes included.
        case key(Range<Int>, JSONStringTraits)
        case string(Range<Int>, JSONStringTraits)
        case number(Range<Int>)
        /// True, false or null.
        case word
    }

    private let text: UnsafeRawBufferPointer
    private let end: Int
    private var position: Int
    private var nesting = BitStack()
    private var keyIsNext = false

    init(_ text: UnsafeRawBufferPointer, in range: Range<Int>) {
        self.text = text
        position = range.lowerBound
        end = range.upperBound
    }

    /// How many arrays and objects are open.
    var depth: Int { nesting.count }

    @inline(__always)
    mutating func next() -> Token? {
        while position < end {
            let start = position
            switch text[start] {
            case UInt8(ascii: "\""):
                let traits = readString()
                guard keyIsNext else { return .string(start..<position, traits) }
                keyIsNext = false
                return .key(start..<position, traits)
            case UInt8(ascii: ","):
                position += 1
                keyIsNext = nesting.top == true
            case UInt8(ascii: "{"):
                position += 1
                nesting.push(true)
                keyIsNext = true
                return .open(isObject: true)
            case UInt8(ascii: "["):
                position += 1
                nesting.push(false)
                keyIsNext = false
                return .open(isObject: false)
            case let bracket where bracket == UInt8(ascii: "}") || bracket == UInt8(ascii: "]"):
                position += 1
                nesting.pop()
                return .close(isObject: bracket == UInt8(ascii: "}"))
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                position = JSONWalker(text).endOfScalar(at: start)
                return .number(start..<position)
            case UInt8(ascii: "t"), UInt8(ascii: "n"):
                position += 4
                return .word
            case UInt8(ascii: "f"):
                position += 5
                return .word
            default:
                position += 1
            }
        }
        return nil
    }

    /// Goes to the key behind the member whose key has just been read. There must be one.
    /// - Returns: where that key begins.
    mutating func skipMember() -> Int {
        let walker = JSONWalker(text)
        position = walker.afterComma(walker.valueOfMember(keyEndingAt: position).upperBound)
        keyIsNext = true
        return position
    }

    @inline(__always)
    private mutating func readString() -> JSONStringTraits {
        var traits: JSONStringTraits = []
        var pieces = JSONStringPieces(text, from: position + 1)
        while let piece = pieces.next() {
            switch piece {
            case .text: break
            case .escaped("\0"): traits.formUnion([.isEncoded, .isDamaged])
            case .escaped: traits.insert(.isEncoded)
            case .loneSurrogate, .brokenByte: traits.formUnion([.isEncoded, .isDamaged])
            }
        }
        position = pieces.position + 1
        return traits
    }
}

struct JSONStringTraits: OptionSet {
    let rawValue: UInt8

    /// Its bytes are not yet its text: it has escapes or broken UTF-8.
    static let isEncoded = JSONStringTraits(rawValue: 1)
    /// It holds what no text of PostgreSQL can: NUL, lone surrogates, broken UTF-8.
    static let isDamaged = JSONStringTraits(rawValue: 2)
}
