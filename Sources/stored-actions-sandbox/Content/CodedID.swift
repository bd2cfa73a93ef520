/// A UUID whose parts mean something: `CCCCCCCC-VVVV-4OOO-8000-NNNNNNNNNNNN`.
///
/// C is a code (a ``Scenario`` or an ``ActionKind``), V its parameter, O an ordinal (how often the same thing was
/// started before), N a number. Any client can write one by hand, and the server needs no list of runs.
struct CodedID: Hashable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64

    init(code: UInt32, parameter: UInt16 = 0, ordinal: UInt16 = 0, number: UInt64) {
        high = UInt64(code) << 32 | UInt64(parameter) << 16 | 0x4000 | UInt64(ordinal & 0x0FFF)
        low = 0x8000 << 48 | (number & 0xFFFF_FFFF_FFFF)
    }

    /// Takes every UUID in its usual form, in upper or lower case; nil for anything else.
    init?(parsing text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return nil }
        var digits: [UInt64] = []
        for (position, byte) in bytes.enumerated() {
            if [8, 13, 18, 23].contains(position) {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard let digit = Self.hexDigit(byte) else { return nil }
                digits.append(digit)
            }
        }
        high = digits.prefix(16).reduce(0) { $0 << 4 | $1 }
        low = digits.suffix(16).reduce(0) { $0 << 4 | $1 }
    }

    var code: UInt32 { UInt32(truncatingIfNeeded: high >> 32) }
    var parameter: UInt16 { UInt16(truncatingIfNeeded: high >> 16) }
    var ordinal: UInt16 { UInt16(truncatingIfNeeded: high) & 0x0FFF }
    var number: UInt64 { low & 0xFFFF_FFFF_FFFF }

    /// One number for all of it, to derive content from.
    var folded: UInt64 { high &* 0x9E37_79B9_7F4A_7C15 ^ low }

    var description: String {
        let digits = Self.hex(high) + Self.hex(low)
        var text = ""
        for (position, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(position) { text.append("-") }
            text.append(digit)
        }
        return text
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
