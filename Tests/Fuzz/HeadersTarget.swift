import Foundation
import HTTPTypes

@testable import ActionsAPI

/// 23 November 2026.
private let now = Date(timeIntervalSince1970: 1_795_392_000)

/// An answer's headers, a field a line: `Date`, limit, remaining, reset, `Retry-After`. Any of them may be read as a date, too.
func fuzz(_ input: [UInt8]) {
    let names = ["date", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"]
    let lines = input.split(separator: 0x0A, omittingEmptySubsequences: false).map {
        String(decoding: $0, as: UTF8.self)
    }
    let fields = HTTPFields(received: zip(names, lines).map { ($0, $1) })
    for receivedAt in [now, Date(timeIntervalSince1970: 0), .distantPast, .distantFuture] {
        check(RateLimitHeaders(fields, receivedAt: receivedAt), at: receivedAt)
    }
    for line in lines.prefix(names.count) {
        checkISODateTime(line)
        checkHTTPDate(line)
    }
}

private func check(_ headers: RateLimitHeaders, at receivedAt: Date) {
    let year = Duration.seconds(366 * 86400)
    require(headers.limit ?? 0 >= 0, "a limit is negative")
    require(headers.remaining ?? 0 >= 0, "what remains is negative")
    require((.zero...year).contains(headers.resetsIn ?? .zero), "a reset lies in the past, or over a year ahead")
    require((.zero...year).contains(headers.retryAfter ?? .zero), "a wait is negative, or longer than a year")
    var budget = RateBudget(share: 0.8)
    for (status, at) in [(200, receivedAt), (429, receivedAt.addingTimeInterval(1))] {
        _ = budget.request(at: at)
        budget.answered(headers, status: status, at: at)
        require(budget.inFlight >= 0, "fewer than no requests are in flight")
    }
}

private func checkISODateTime(_ text: String) {
    let strict = ISODateTime.parse(text, as: .rfc3339)
    let lenient = ISODateTime.parse(text, as: .lenient)
    if let strict { require(strict == lenient, "the lenient reading differs from the strict one") }
    guard let lenient else { return }
    let years = Date(timeIntervalSince1970: 0)..<Date(timeIntervalSince1970: 253_402_300_800)
    require(years.contains(lenient), "a date lies outside of the years 1970 to 9999")
    let civil = UTC(lenient)
    let again = "\(civil.isoDay)T\(civil.time)\(civil.fraction)Z"
    for form in [ISODateTime.Form.rfc3339, .lenient] {
        let difference = ISODateTime.parse(again, as: form)?.timeIntervalSince(lenient)
        // A Date of the year 9999 counts in steps of some 30 µs.
        require(abs(difference ?? 1) < 1e-4, "\(text) and \(again) are not the same instant")
    }
}

private func checkHTTPDate(_ text: String) {
    guard let date = HTTPDate.parse(text) else { return }
    let civil = UTC(date)
    let again = "Mon, \(civil.httpDay) \(civil.time) GMT"
    // The last second of 9999 may be a leap second, which counts as the one after it.
    guard civil.year <= 9999 else { return }
    require(HTTPDate.parse(again) == date, "\(text) and \(again) are not the same instant")
}

/// An instant's calendar fields, found by counting days: a second opinion to that of the parsers.
private struct UTC {
    private(set) var year = 1970
    private var month = 1
    private var day: Int
    private var second: Int
    let fraction: String

    init(_ date: Date) {
        let seconds = date.timeIntervalSince1970
        let whole = Int(seconds.rounded(.down))
        (day, second) = (whole / 86400, whole % 86400)
        fraction = "." + padded(Int((seconds - Double(whole)) * 1e6), 6)
        while day >= Self.length(ofYear: year) {
            day -= Self.length(ofYear: year)
            year += 1
        }
        while day >= length(ofMonth: month) {
            day -= length(ofMonth: month)
            month += 1
        }
        day += 1
    }

    var isoDay: String { "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))" }

    var httpDay: String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "\(padded(day, 2)) \(months[month - 1]) \(padded(year, 4))"
    }

    var time: String { "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))" }

    private func length(ofMonth month: Int) -> Int {
        month == 2 ? Self.length(ofYear: year) - 337 : [31, 0, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    private static func length(ofYear year: Int) -> Int {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 366 : 365
    }
}

private func padded(_ number: Int, _ count: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, count - digits.count)) + digits
}
