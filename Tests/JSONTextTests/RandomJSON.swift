import Support

/// Values of JSON as they may come: with what jsonb cannot hold, with white space, with odd spellings.
struct RandomJSON {
    private var generator: SplitMix

    init(seed: UInt64) {
        generator = SplitMix(state: seed)
    }

    mutating func next() -> [UInt8] {
        var bytes: [UInt8] = []
        value(depth: 0, to: &bytes)
        return bytes
    }

    private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    private mutating func value(depth: Int, to bytes: inout [UInt8]) {
        switch below(depth > 4 ? 4 : 7) {
        case 0, 1: string(to: &bytes)
        case 2: number(to: &bytes)
        case 3: bytes += ["true", "false", "null"][below(3)].utf8
        case 4: list("[]", depth: depth, to: &bytes)
        default: list("{}", depth: depth, to: &bytes)
        }
    }

    private mutating func list(_ brackets: String, depth: Int, to bytes: inout [UInt8]) {
        bytes += brackets.utf8.prefix(1)
        for index in 0..<below(6) {
            if index > 0 { bytes += ",".utf8 }
            space(to: &bytes)
            if brackets == "{}" {
                string(to: &bytes)
                space(to: &bytes)
                bytes += ":".utf8
                space(to: &bytes)
            }
            value(depth: depth + 1, to: &bytes)
            space(to: &bytes)
        }
        bytes += brackets.utf8.suffix(1)
    }

    private mutating func space(to bytes: inout [UInt8]) {
        if below(6) == 0 { bytes += [" ", "\n", "\t \r"][below(3)].utf8 }
    }

    private mutating func string(to bytes: inout [UInt8]) {
        let common = ["a", "b", "ab", "~", "/", "é", "漢", "😀", #"\u0061"#, #"\""#, #"\\"#, #"\/"#, #"\n"#, #"\u00e9"#]
        let rare = [#"\u0000"#, #"\ud83d"#, #"\ude00"#, #"\ud83d\ude00"#, #"\\u0000"#, #"\ufffd"#, "\u{FFFD}"]
        bytes += "\"".utf8
        for _ in 0..<below(4) {
            switch below(24) {
            case 0: bytes += rare[below(rare.count)].utf8
            case 1: bytes.append(UInt8(0x80 + below(0x80)))
            default: bytes += common[below(common.count)].utf8
            }
        }
        bytes += "\"".utf8
    }

    private mutating func number(to bytes: inout [UInt8]) {
        let numbers = ["0", "-0", "7", "10.10", "1e300", "12345678901234567890123456789", "1E-5", "0e1000000"]
        let wide = ["1e131072", "-1e-16384", "1e99999999999999999999"]
        bytes += (below(8) == 0 ? wide[below(wide.count)] : numbers[below(numbers.count)]).utf8
    }
}
