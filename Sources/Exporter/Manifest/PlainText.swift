import ActionsAPI
import Foundation
import Glibc

/// Reads the values of an ordinary line straight from its bytes. Each function either consumes a value or returns nil,
/// after which the position is of no use: the line is then read again by the general reader.
///
/// The bytes are a pointer and not an array so that no line is copied. This is the only place that looks behind it, and
/// each function checks that the bytes are there.
struct PlainText {
    private let bytes: UnsafeRawBufferPointer
    /// Bytes before the next one.
    private(set) var position = 0

    /// - Parameter bytes: must outlive this value.
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    /// The next byte, which stays; nil at the end.
    @inline(__always)
    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// The byte behind that one.
    @inline(__always)
    var peekSecond: UInt8? { position + 1 < bytes.count ? bytes[position + 1] : nil }

    /// Consumes that byte if it comes next.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    /// Consumes these bytes if they come next.
    @inline(__always)
    mutating func take(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count - position >= count, let start = bytes.baseAddress,
            memcmp(start + position, word.utf8Start, count) == 0
        else { return false }
        position += count
        return true
    }

    @inline(__always)
    mutating func skipBlanks() {
        while peek == UInt8(ascii: " ") { position += 1 }
    }

    /// A number of that many digits.
    @inline(__always)
    mutating func takeNumber(digits count: Int) -> Int? {
        guard bytes.count - position >= count else { return nil }
        var number = 0
        for index in position..<(position + count) {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number * 10 + Int(digit)
        }
        position += count
        return number
    }

    /// All digits that come next, if there are any and no more than nine.
    @inline(__always)
    mutating func takeDigits() -> (number: Int, count: Int)? {
        let start = position
        var number = 0
        while let digit = peek.map({ $0 &- UInt8(ascii: "0") }), digit < 10 {
            guard position - start < 9 else { return nil }
            number = number * 10 + Int(digit)
            position += 1
        }
        return position > start ? (number, position - start) : nil
    }

    /// Printable ASCII characters up to that one, which stays, or up to the end. Nil if others are among them, or a
    /// quote or a backslash: those mean something.
    mutating func takeCharacters(before end: UInt8) -> UnsafeRawBufferPointer? {
        let start = position
        while let byte = peek, byte != end {
            guard (0x20...0x7E).contains(byte), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else {
                return nil
            }
            position += 1
        }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    /// A JSON object of up to 1,000 bytes on one line, as it is written; whether it is valid is left to be checked.
    mutating func takeObject() -> UnsafeRawBufferPointer? {
        guard peek == UInt8(ascii: "{") else { return nil }
        let start = position
        var depth = 0
        var isInString = false
        while let byte = peek, position - start < 1_000 {
            guard byte >= 0x20 else { return nil }
            position += 1
            switch byte {
            case UInt8(ascii: "\\"): position += 1
            case UInt8(ascii: "\""): isInString.toggle()
            case UInt8(ascii: "{") where !isInString: depth += 1
            case UInt8(ascii: "}") where !isInString:
                depth -= 1
                if depth == 0 { return UnsafeRawBufferPointer(rebasing: bytes[start..<position]) }
            default: break
            }
        }
        return nil
    }

    /// A UUID in its usual form.
    @inline(__always)
    mutating func takeUUID() -> PackedUUID? {
        guard bytes.count - position >= 36,
            let uuid = PackedUUID(text: UnsafeRawBufferPointer(rebasing: bytes[position..<(position + 36)]))
        else { return nil }
        position += 36
        return uuid
    }

    /// A date-time of RFC 3339.
    mutating func takeDate() -> Date? {
        guard let year = takeNumber(digits: 4), take(UInt8(ascii: "-")),
            let month = takeNumber(digits: 2), take(UInt8(ascii: "-")),
            let day = takeNumber(digits: 2), take(UInt8(ascii: "T")),
            let hour = takeNumber(digits: 2), take(UInt8(ascii: ":")),
            let minute = takeNumber(digits: 2), take(UInt8(ascii: ":")),
            let second = takeNumber(digits: 2), second < 60
        else { return nil }
        var fraction = 0.0
        if take(UInt8(ascii: ".")) {
            // In the last year that is allowed a fraction may be rounded up into the next.
            guard year < 9999, let digits = takeDigits() else { return nil }
            // Both are integers that a Double holds exactly, so this rounds as the decimal fraction itself would.
            fraction = Double(digits.number) / Self.powersOfTen[digits.count]
        }
        // An offset may lead out of the years that are allowed, so it is left to the general reader.
        guard take(UInt8(ascii: "Z")) || take("+00:00") else { return nil }
        let civil = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        return civil.date?.addingTimeInterval(fraction)
    }

    private static let powersOfTen: [Double] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
}
