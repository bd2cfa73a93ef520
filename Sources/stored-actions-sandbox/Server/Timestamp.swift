import Foundation

/// A whole second of UTC in the two forms that go out. Every answer carries one, and Foundation's `DateFormatter`
/// is slow and not `Sendable`.
struct Timestamp: Sendable {
    private let seconds: Int

    /// Drops what is finer than a second.
    init(_ date: Date) {
        seconds = Int(date.timeIntervalSince1970.rounded(.down))
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
    var httpDate: String {
        let (year, month, day) = civil
        let weekday = Self.weekdays[((days % 7) + 7 + 4) % 7]
        return "\(weekday), \(Self.two(day)) \(Self.months[month - 1]) \(year) \(time) GMT"
    }

    /// `1994-11-06T08:49:37Z`.
    var iso8601: String {
        let (year, month, day) = civil
        return "\(year)-\(Self.two(month))-\(Self.two(day))T\(time)Z"
    }

    private var days: Int { Int((Double(seconds) / 86_400).rounded(.down)) }

    private var time: String {
        let rest = seconds - days * 86_400
        return "\(Self.two(rest / 3600)):\(Self.two(rest / 60 % 60)):\(Self.two(rest % 60))"
    }

    /// Proleptic Gregorian date, counted in eras of 400 years that begin on 1 March, so that leap days come last.
    private var civil: (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
