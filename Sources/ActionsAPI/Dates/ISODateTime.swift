import Foundation

/// ISO 8601 date-times as RFC 3339 has them: `2026-11-20T09:30:00Z`, with any fraction and any offset.
package enum ISODateTime {
    package enum Form: Sendable {
        /// To the letter, as people are asked to write it.
        case rfc3339
        /// As servers write it: a space may replace the `T`, the offset may lack its colon or its minutes, and a
        /// date-time without an offset is UTC.
        case lenient
    }

    /// The instant that `text` names, in the years 1970 to 9999, or nil.
    package static func parse(_ text: String, as form: Form) -> Date? {
        if form == .rfc3339 {
            let zone = text.utf8.suffix(6)
            let hasZone =
                zone.last.map { "Zz".utf8.contains($0) } == true
                || (zone.count == 6 && "+-".utf8.contains(zone[zone.startIndex])
                    && zone[zone.index(zone.startIndex, offsetBy: 3)] == UInt8(ascii: ":"))
            // Of all texts that name a second 60 few are leap seconds, and most are mistakes.
            guard hasZone, !text.contains(" "), !text.contains(","),
                text.utf8.dropFirst(17).prefix(2).elementsEqual("60".utf8) == false
            else { return nil }
        }
        var rest = Substring(text).utf8
        guard let year = number(&rest, digits: 4), take(&rest, "-"),
            let month = number(&rest, digits: 2), take(&rest, "-"),
            let day = number(&rest, digits: 2), take(&rest, "Tt "),
            let hour = number(&rest, digits: 2), take(&rest, ":"),
            let minute = number(&rest, digits: 2), take(&rest, ":"),
            let second = number(&rest, digits: 2), let fraction = fraction(&rest), let offset = offset(&rest),
            rest.isEmpty
        else { return nil }
        let civil = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        guard let date = civil.date?.addingTimeInterval(fraction - Double(offset)), years.contains(date) else {
            return nil
        }
        return date
    }

    /// 1970 to 9999: an offset may lead out of the years of its date.
    private static let years = Date(timeIntervalSince1970: 0)..<Date(timeIntervalSince1970: 253_402_300_800)

    private static func fraction(_ rest: inout Substring.UTF8View) -> Double? {
        guard take(&rest, ".,") else { return 0 }
        let digits = rest.prefix(while: isDigit)
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        return Double("0." + String(Substring(digits.prefix(9))))
    }

    /// Seconds east of Greenwich.
    private static func offset(_ rest: inout Substring.UTF8View) -> Int? {
        guard !rest.isEmpty else { return 0 }
        if take(&rest, "Zz") { return 0 }
        let sign = rest.first == UInt8(ascii: "-") ? -1 : 1
        guard take(&rest, "+-"), let hours = number(&rest, digits: 2), hours < 24 else { return nil }
        if rest.isEmpty { return sign * hours * 3600 }
        _ = take(&rest, ":")
        guard let minutes = number(&rest, digits: 2), minutes < 60 else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }

    private static func number(_ rest: inout Substring.UTF8View, digits count: Int) -> Int? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(isDigit) else { return nil }
        rest = rest.dropFirst(count)
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private static func take(_ rest: inout Substring.UTF8View, _ allowed: String) -> Bool {
        guard let first = rest.first, allowed.utf8.contains(first) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
