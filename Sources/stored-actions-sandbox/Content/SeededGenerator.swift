/// SplitMix64. It draws its own bounded numbers: what the standard library makes of a generator's bits may change
/// with its version, and the same seed has to give the same bytes always.
struct SeededGenerator: Sendable {
    private var state: UInt64

    init(seed: UInt64, salt: UInt64 = 0) {
        state = seed &* 0xD134_2543_DE82_EF95 ^ salt
        // Seeds that differ in one bit must not begin alike.
        _ = next()
        state ^= salt &* 0x2545_F491_4F6C_DD1D
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// A number from 0 up to `bound` - 1; 0 for a bound below 1.
    mutating func below(_ bound: Int) -> Int {
        bound < 1 ? 0 : Int(next() % UInt64(bound))
    }

    /// A number from 0 up to, but not including, 1.
    mutating func fraction() -> Double {
        Double(next() >> 11) / Double(UInt64(1) << 53)
    }

    mutating func pick<Element>(_ choices: [Element], or fallback: Element) -> Element {
        choices.isEmpty ? fallback : choices[below(choices.count)]
    }

    mutating func shuffle(_ elements: inout [some Any]) {
        guard elements.count > 1 else { return }
        for index in (1..<elements.count).reversed() {
            elements.swapAt(index, below(index + 1))
        }
    }
}

/// FNV-1a of a text's UTF-8, the same in every process (`Hasher` is not).
func stableHash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
}
