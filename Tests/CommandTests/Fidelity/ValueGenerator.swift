import Support

/// Makes values as an API may send them, from a seed.
struct ValueGenerator {
    private var random: SplitMix

    init(seed: UInt64) {
        random = SplitMix(state: seed)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

    /// True once in so many times.
    mutating func once(in times: Int) -> Bool { below(times) == 0 }

    mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }

    mutating func shuffled<T>(_ values: [T]) -> [T] { values.shuffled(using: &random) }

    mutating func uuid() -> String {
        let digits = (0..<32).map { _ in String(below(16), radix: 16) }.joined()
        let ends = [8, 12, 16, 20, 32]
        return zip([0] + ends, ends).map { String(digits.dropFirst($0).prefix($1 - $0)) }.joined(separator: "-")
    }

    /// - Parameter isClean: nothing that `jsonb` cannot hold is planted.
    mutating func value(isClean: Bool, depth: Int = 0) -> PlantedValue {
        switch below(depth == 0 ? 12 : depth < 4 ? 9 : 6) {
        case 0, 1: .string(text(isClean: isClean))
        case 2, 3: number(isClean: isClean)
        case 4: .text(pick(["2026-11-20T09:30:00Z", "lead@example.com", "", " ", "a longer text than eight bytes"]))
        case 5: .word(pick(["true", "false", "null"]))
        case 6: .array((0..<below(5)).map { _ in value(isClean: isClean, depth: depth + 1) })
        default: object(isClean: isClean, depth: depth)
        }
    }

    private mutating func object(isClean: Bool, depth: Int) -> PlantedValue {
        var members: [PlantedValue.Member] = []
        for _ in 0..<below(once(in: 20) ? 60 : 7) {
            let member = PlantedValue.Member(
                text(isClean: isClean), value(isClean: isClean, depth: depth + 1))
            let isTaken = members.contains { $0.key.decoded.utf8.elementsEqual(member.key.decoded.utf8) }
            if !isTaken || !isClean && once(in: 3) { members.append(member) }
        }
        return .object(members)
    }

    mutating func text(isClean: Bool) -> [PlantedText] {
        var text: [PlantedText] = []
        for _ in 0...below(3) {
            if !isClean, once(in: 16) {
                // What follows must not make whole what is broken.
                text += [damage(), .plain("x")]
            } else if once(in: 4) {
                text.append(escape())
            } else {
                text.append(
                    .plain(
                        pick(["a", "b", "name", "id", "é", "e\u{301}", "漢字", "😀", "~/", "\u{7F}", "\u{FFFD}", "{[,:"])))
            }
        }
        return text
    }

    private mutating func escape() -> PlantedText {
        let escapes = [
            (#"\""#, "\""), (#"\\"#, "\\"), (#"\/"#, "/"), (#"\b"#, "\u{8}"), (#"\f"#, "\u{C}"), (#"\n"#, "\n"),
            (#"\r"#, "\r"), (#"\t"#, "\t"), (#"\u0061"#, "a"), (#"\u00E9"#, "é"), (#"\u001f"#, "\u{1F}"),
            (#"\ud83d\ude00"#, "😀"), (#"\\u0000"#, #"\u0000"#), (#"\\ud800"#, #"\ud800"#), (#"\uffff"#, "\u{FFFF}"),
        ]
        let (spelling, meaning) = pick(escapes)
        return .escape(spelling, meaning: meaning)
    }

    private mutating func damage() -> PlantedText {
        if once(in: 2) { return .replacedEscape(pick([#"\u0000"#, #"\ud83d"#, #"\uDE00"#, #"\uDBFF"#])) }
        return .brokenBytes(
            pick([
                [0xFF], [0xC3], [0x80], [0xC0, 0xAF], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF0, 0x9F, 0x98],
                [0xF4, 0x90, 0x80, 0x80],
            ]))
    }

    private mutating func number(isClean: Bool) -> PlantedValue {
        if !isClean, once(in: 8) {
            if once(in: 50) { return .number("1" + String(repeating: "0", count: 131_072), fits: false) }
            return .number(
                pick(["1e131072", "-1E+131072", "1e-16384", "0e-16384", "7e99999999999999999999"]), fits: false)
        }
        if once(in: 3) {
            return .number(
                pick([
                    "0", "-0", "0.0", "10.10", "1e300", "1E-300", "-12345678901234567890123456789", "1e131071",
                    "1e-16383", "0e1000000", "2.50e+3", "9007199254740993", "0.1e-5",
                ]), fits: true)
        }
        let sign = once(in: 4) ? "-" : ""
        let whole = once(in: 4) ? "0" : "\(1 + below(9))" + digits(below(40))
        return .number(sign + whole + (once(in: 2) ? "." + digits(1 + below(40)) : ""), fits: true)
    }

    private mutating func digits(_ count: Int) -> String { (0..<count).map { _ in String(below(10)) }.joined() }

    /// The value as bytes, with white space here and there.
    mutating func render(_ value: PlantedValue) -> [UInt8] {
        switch value {
        case .word(let text), .number(let text, _): return Array(text.utf8)
        case .string(let text): return text.rendered
        case .nested(let depth):
            return [UInt8](repeating: UInt8(ascii: "["), count: depth)
                + [UInt8](repeating: UInt8(ascii: "]"), count: depth)
        case .array(let elements): return list("[", elements.map { render($0) }, "]")
        case .object(let members):
            return list(
                "{", members.map { $0.key.rendered + space() + [UInt8(ascii: ":")] + space() + render($0.value) }, "}")
        }
    }

    mutating func list(_ opening: String, _ parts: [[UInt8]], _ closing: String) -> [UInt8] {
        var bytes = Array(opening.utf8) + space()
        for (index, part) in parts.enumerated() {
            if index > 0 { bytes += [UInt8(ascii: ",")] + space() }
            bytes += part + space()
        }
        return bytes + Array(closing.utf8)
    }

    mutating func space() -> [UInt8] { once(in: 8) ? pick([[0x20], [0x0A], [0x09, 0x0D], [0x20, 0x20]]) : [] }
}
