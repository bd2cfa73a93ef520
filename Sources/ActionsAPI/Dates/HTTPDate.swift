import Foundation

/// The three date formats that RFC 9110 (section 5.6.7) makes a recipient accept.
///
///     Sun, 06 Nov 1994 08:49:37 GMT      IMF-fixdate, the one that is sent today
///     Sunday, 06-Nov-94 08:49:37 GMT     RFC 850
///     Sun Nov  6 08:49:37 1994           asctime
package enum HTTPDate {
    /// The instant that `text` names, or nil.
    /// - Parameter now: what a year of two digits is read against: over 50 years ahead, it is the past century's.
    package static func parse(_ text: String, near now: Date) -> Date? {
        guard text.utf8.count <= 64 else { return nil }
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" }
        guard let weekday = words.first, weekdays.contains(where: { weekday.hasPrefix($0) }) else { return nil }
        let day: Substring
        let month: Substring
        let year: Substring
        let time: Substring
        switch words.count {
        case 6 where words[5] == "GMT" || words[5] == "UTC":
            (day, month, year, time) = (words[1], words[2], words[3], words[4])
        case 5:
            (month, day, time, year) = (words[1], words[2], words[3], words[4])
        default:
            return nil
        }
        let clock = time.split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, let monthIndex = months.firstIndex(of: String(month)),
            let day = number(day, digits: 1...2), let yearNumber = number(year, digits: 2...4),
            let hour = number(clock[0], digits: 2...2), let minute = number(clock[1], digits: 2...2),
            let second = number(clock[2], digits: 2...2)
        else { return nil }
        return CivilTime(
            year: year.count == 2 ? century(of: yearNumber, near: now) + yearNumber : yearNumber,
            month: monthIndex + 1, day: day, hour: hour, minute: minute, second: second
        ).date
    }

    /// The hundreds of the year that two digits stand for.
    private static func century(of twoDigits: Int, near now: Date) -> Int {
        let secondsInYear = 31_556_952.0
        let years = (now.timeIntervalSince1970 / secondsInYear).rounded(.down)
        let thisYear = 1970 + Int(min(max(years, 0), 8000))
        let thisCentury = thisYear / 100 * 100
        return thisCentury + twoDigits > thisYear + 50 ? thisCentury - 100 : thisCentury
    }

    private static func number(_ text: Substring, digits: ClosedRange<Int>) -> Int? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    private static let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
}
