import Foundation

/// The moment that an ISO 8601 date-time with a zone stands for, in the profile of RFC 3339:
/// `2026-11-20T09:30:00Z`, `2026-11-20T10:30:00.25+01:00`. Years 1970…9999; nil for any other text.
func parseTimestamp(_ text: String) -> Date? {
    var digits = TimestampScanner(rest: Array(text.utf8)[...])
    guard
        let year = digits.number(4), digits.take("-"), let month = digits.number(2), digits.take("-"),
        let day = digits.number(2), digits.take("T") || digits.take("t"),
        let hour = digits.number(2), digits.take(":"), let minute = digits.number(2), digits.take(":"),
        let second = digits.number(2), let fraction = digits.fraction(), let offset = digits.zone(),
        digits.rest.isEmpty,
        year >= 1970, (1...12).contains(month), (1...daysInMonth(month, of: year)).contains(day),
        hour < 24, minute < 60, second < 60
    else { return nil }
    let seconds = ((daysSinceEpoch(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second
    return Date(timeIntervalSince1970: Double(seconds) + fraction)
}

private struct TimestampScanner {
    var rest: ArraySlice<UInt8>

    mutating func take(_ character: Character) -> Bool {
        guard let byte = rest.first, byte == character.asciiValue else { return false }
        rest.removeFirst()
        return true
    }

    /// Exactly that many digits.
    mutating func number(_ count: Int) -> Int? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(isDigit) else { return nil }
        rest = rest.dropFirst(count)
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// 0 if there is none; nil for a dot without digits.
    mutating func fraction() -> Double? {
        guard take(".") else { return 0 }
        let digits = rest.prefix(while: isDigit)
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        return Double("0." + String(decoding: digits, as: UTF8.self))
    }

    /// Minutes east of UTC.
    mutating func zone() -> Int? {
        if take("Z") || take("z") { return 0 }
        let isWest = take("-")
        guard isWest || take("+"), let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (isWest ? -1 : 1)
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

private func isLeapYear(_ year: Int) -> Bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

private func daysInMonth(_ month: Int, of year: Int) -> Int {
    month == 2 && isLeapYear(year) ? 29 : [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
}

private func daysSinceEpoch(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let lastYear = year - 1
    let daysBeforeYear = lastYear * 365 + lastYear / 4 - lastYear / 100 + lastYear / 400
    // 719,162 days lie before 1970 in the proleptic Gregorian calendar.
    return daysBeforeYear - 719_162 + (1..<month).reduce(0) { $0 + daysInMonth($1, of: year) } + day - 1
}
