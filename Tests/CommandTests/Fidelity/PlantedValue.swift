/// A JSON value of which it is known beforehand what `jsonb` can hold of it: the test's own idea of the nearest form,
/// kept as simple as it can be.
indirect enum PlantedValue: Sendable {
    /// True, false or null.
    case word(String)
    case number(String, fits: Bool)
    case string([PlantedText])
    case array([PlantedValue])
    case object([Member])
    /// So many arrays within one another.
    case nested(Int)

    struct Member: Sendable {
        var key: [PlantedText]
        var value: PlantedValue

        init(_ key: [PlantedText], _ value: PlantedValue) {
            self.key = key
            self.value = value
        }

        init(_ key: String, _ value: PlantedValue) { self.init([.plain(key)], value) }
    }

    static func text(_ text: String) -> Self { .string([.plain(text)]) }
    static let null = Self.word("null")

    var isNull: Bool {
        if case .word("null") = self { true } else { false }
    }
}

/// A part of a string, as it is written.
enum PlantedText: Sendable {
    /// Needs no escape.
    case plain(String)
    case escape(String, meaning: String)
    /// `\u0000` or half of a surrogate pair.
    case replacedEscape(String)
    /// Bytes that are no UTF-8, each by itself.
    case brokenBytes([UInt8])

    var decoded: String {
        switch self {
        case .plain(let text): text
        case .escape(_, let meaning): meaning
        case .replacedEscape: "\u{FFFD}"
        case .brokenBytes(let bytes): String(repeating: "\u{FFFD}", count: bytes.count)
        }
    }

    fileprivate var bytes: [UInt8] {
        switch self {
        case .plain(let text), .escape(let text, _), .replacedEscape(let text): Array(text.utf8)
        case .brokenBytes(let bytes): bytes
        }
    }

    fileprivate var isReplaced: Bool {
        switch self {
        case .plain, .escape: false
        case .replacedEscape, .brokenBytes: true
        }
    }
}

extension [PlantedText] {
    var decoded: String { map(\.decoded).joined() }
    var rendered: [UInt8] { [UInt8(ascii: "\"")] + flatMap(\.bytes) + [UInt8(ascii: "\"")] }
}

extension PlantedValue {
    enum Form: String {
        case exact, nearest, none
    }

    var form: Form {
        if case .nested(let depth) = self, depth > 1_000 { return .none }
        return isExact ? .exact : .nearest
    }

    private var isExact: Bool {
        switch self {
        case .word, .nested: true
        case .number(_, let fits): fits
        case .string(let text): !text.contains(where: \.isReplaced)
        case .array(let elements): elements.allSatisfy(\.isExact)
        case .object(let members):
            members.allSatisfy { !$0.key.contains(where: \.isReplaced) && $0.value.isExact }
                && Set(members.map { Array($0.key.decoded.utf8) }).count == members.count
        }
    }

    /// The nearest form as JSON text that PostgreSQL takes; nil if there is none.
    var nearest: String? { form == .none ? nil : nearestText }

    private var nearestText: String {
        switch self {
        case .word(let word): return word
        case .number(let spelling, let fits): return fits ? spelling : Self.quoted(spelling)
        case .string(let text): return Self.quoted(text.decoded)
        case .array(let elements): return "[" + elements.map(\.nearestText).joined(separator: ",") + "]"
        case .nested(let depth): return String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        case .object(let members):
            var last: [[UInt8]: String] = [:]
            for member in members {
                let key = member.key.decoded
                last[Array(key.utf8)] = Self.quoted(key) + ":" + member.value.nearestText
            }
            return "{" + last.values.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
