import Foundation

/// A day and a time of day in UTC, as a header or a document spells it.
///
/// Formatters of Foundation are avoided: they need a locale, and accept more than they should.
package struct CivilTime {
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    /// 60 is a leap second and counts as the second after it.
    var second: Int

    package init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// The instant; nil when a field is out of its range, as in 30 February. Years before 1970 are out of range.
    package var date: Date? {
        guard (1970...9999).contains(year), (1...12).contains(month), (1...daysInMonth).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        let days = 365 * (year - 1970) + Self.leapDays(before: year) - Self.leapDays(before: 1970)
        let daysOfYear = (1..<month).reduce(day - 1) { $0 + Self.days(of: $1, leap: isLeapYear) }
        return Date(timeIntervalSince1970: Double((days + daysOfYear) * 86400 + hour * 3600 + minute * 60 + second))
    }

    private var isLeapYear: Bool {
        Self.leapDays(before: year + 1) > Self.leapDays(before: year)
    }

    private var daysInMonth: Int {
        Self.days(of: month, leap: isLeapYear)
    }

    private static func days(of month: Int, leap: Bool) -> Int {
        switch month {
        case 2: leap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func leapDays(before year: Int) -> Int {
        let past = year - 1
        return past / 4 - past / 100 + past / 400
    }
}
