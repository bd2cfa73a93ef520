import ActionsAPI
import Foundation
import HTTPTypes
import Support
import Testing

/// 2026-11-20T09:30:00Z
private let epoch = 1_795_167_000.0
private let date = "Fri, 20 Nov 2026 09:30:00 GMT"

private func headers(_ fields: [String: String], receivedAt offset: Double = 0) -> RateLimitHeaders {
    let fields = HTTPFields(received: fields.map { ($0.key, $0.value) })
    return RateLimitHeaders(fields, receivedAt: Date(timeIntervalSince1970: epoch + offset))
}

@Suite("Rate limit headers")
struct RateLimitHeadersTests {
    @Test(
        "Every form of a reset is read, with its grain",
        arguments: [
            ("1795167300", 300, RateLimitHeaders.Grain.wholeSeconds),
            ("1795167300000", 300, .wholeSeconds),
            ("1795167300250", 300.25, .finer),
            ("1795167300.25", 300.25, .finer),
            ("1795167300.000", 300, .wholeSeconds),
            ("2026-11-20T09:35:00Z", 300, .wholeSeconds),
            ("2026-11-20t09:35:00z", 300, .wholeSeconds),
            ("2026-11-20 09:35:00", 300, .wholeSeconds),
            ("2026-11-20T09:35:00.5Z", 300.5, .finer),
            ("2026-11-20T10:35:00+01:00", 300, .wholeSeconds),
            ("2026-11-20T04:05:00-0530", 300, .wholeSeconds),
            ("2026-11-20T11:35:00.125+02", 300.125, .finer),
            ("Fri, 20 Nov 2026 09:35:00 GMT", 300, .wholeSeconds),
            ("300", 300, .wholeSeconds),
            (" 300 ", 300, .wholeSeconds),
            ("2.5", 2.5, .finer),
            ("0", 0, .wholeSeconds),
            ("1795166990", 0, .wholeSeconds),
        ])
    func reset(text: String, seconds: Double, grain: RateLimitHeaders.Grain) {
        let read = headers(["X-RateLimit-Reset": text])
        #expect(read.resetsIn == .milliseconds(Int(seconds * 1000)))
        #expect(read.resetGrain == grain)
    }

    @Test(
        "A reset that is garbage, negative or over a year away is none",
        arguments: [
            "", " ", "soon", "-5", "+5", "1e9", ".5", "5.", "1.2.3", "NaN", "inf", "0x10", "99999999", "1000000000",
            "1895167300", "17951673000000000", String(repeating: "9", count: 400), "١٢٣", "3️⃣", "2026-11-20",
            "2026-13-20T09:35:00Z",
            "2026-02-30T09:35:00Z", "2026-11-20T24:35:00Z", "2026-11-20T09:35:00.Z", "2026-11-20T09:35:00Q",
            "2096-11-20T09:35:00Z",
            "2026-11-20T09:35:00Z and more", "Fri, 20 Foo 2026 09:35:00 GMT", "Fri, 20 Nov 2026 09:35 GMT",
        ])
    func garbage(text: String) {
        #expect(headers(["X-RateLimit-Reset": text]).resetsIn == nil)
    }

    @Test(
        "A server's clock that differs is corrected by Date",
        arguments: [
            // Local clock less the Date header, and the true seconds to the reset as the exporter is to take them.
            (600.0, 300.0), (-600, 300), (2, 300), (-1, 300), (1.3, 300),
            // Within the header's grain the local clock is the finer one.
            (0, 300), (0.75, 299.25), (1.2, 298.8),
        ])
    func corrected(localOffset: Double, seconds: Double) {
        for text in ["1795167300", "1795167300000", "2026-11-20T09:35:00Z"] {
            let read = headers(["X-RateLimit-Reset": text, "Date": date], receivedAt: localOffset)
            #expect(read.resetsIn == .milliseconds(Int((seconds * 1000).rounded())))
            #expect(read.resetInstant == Date(timeIntervalSince1970: epoch + 300))
        }
        let relative = headers(["X-RateLimit-Reset": "300", "Date": date], receivedAt: localOffset)
        #expect(relative.resetsIn == .seconds(300))
        #expect(relative.resetInstant == nil)
    }

    @Test("Without a Date that can be read, the local clock is believed", arguments: [nil, "yesterday"])
    func dateUnreadable(date: String?) {
        var fields = ["X-RateLimit-Reset": "1795167300"]
        fields["Date"] = date
        #expect(headers(fields, receivedAt: 60).resetsIn == .seconds(240))
    }

    @Test(
        "Retry-After is read as seconds and as a date",
        arguments: [
            ("30", 30.0), (" 30 ", 30), ("0", 0), ("1.5", 1.5), ("Fri, 20 Nov 2026 09:31:00 GMT", 60),
            ("Fri, 20 Nov 2026 09:29:00 GMT", 0),
        ])
    func retryAfter(text: String, seconds: Double) {
        let expected = Duration.milliseconds(Int(seconds * 1000))
        #expect(headers(["Retry-After": text]).retryAfter == expected)
        #expect(headers(["Retry-After": text, "Date": date], receivedAt: 600).retryAfter == expected)
    }

    @Test(
        "A Retry-After that makes no sense is none",
        arguments: [
            "", "-1", "later", "1795167300", String(repeating: "1", count: 300), "Fri, 20 Nov 2099 09:31:00 GMT",
            "20 Nov 2026",
        ])
    func retryAfterGarbage(text: String) {
        #expect(headers(["Retry-After": text]).retryAfter == nil)
    }

    @Test(
        "Counts are read where they make sense",
        arguments: [
            ("600", 600, 600), (" 600 ", 600, 600), ("0", 0, 0), ("600, 600;w=300", 600, 600), ("-1", nil, 0),
            ("", nil, nil),
            ("many", nil, nil), ("99999999999999999999", nil, nil), ("६", nil, nil),
        ] as [(String, Int?, Int?)])
    func counts(text: String, limit: Int?, remaining: Int?) {
        let read = headers(["X-RateLimit-Limit": text, "X-RateLimit-Remaining": text])
        #expect(read.limit == limit)
        #expect(read.remaining == remaining)
    }

    @Test("The names without X- are read as well, and no headers are none")
    func names() {
        let read = headers(["RateLimit-Limit": "9", "RateLimit-Remaining": "8", "RateLimit-Reset": "7"])
        #expect(read == RateLimitHeaders(limit: 9, remaining: 8, resetsIn: .seconds(7)))
        #expect(headers([:]) == RateLimitHeaders())
    }

    @Test("No text traps")
    func noTextTraps() {
        var random = SplitMix(state: 3)
        let alphabet = Array("0123456789.,:-+ TZtz;GMTFriNov2026é９\u{0}\u{301}🙂eE")
        let seeds = [date, "1795167300", "2026-11-20T09:35:00.5+01:00", "Friday, 20-Nov-26 09:31:00 GMT", "", "1.5"]
        for round in 0..<3000 {
            var text = Array(seeds[round % seeds.count])
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let place = Int.random(in: 0...text.count, using: &random)
                text.insert(alphabet.randomElement(using: &random) ?? "0", at: place)
                if Bool.random(using: &random) { text.remove(at: Int.random(in: 0..<text.count, using: &random)) }
            }
            let value = String(text)
            let names = ["Date", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"]
            let read = headers(Dictionary(uniqueKeysWithValues: names.map { ($0, value) }))
            #expect(read.resetsIn ?? .zero >= .zero && read.retryAfter ?? .zero >= .zero && read.remaining ?? 0 >= 0)
        }
    }
}

@Suite("Dates in headers")
struct DateFormTests {
    @Test(
        "Leap days and centuries",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0), ("Sun, 06 Nov 1994 08:49:37 UTC", 784_111_777),
            ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800), ("Tue, 29 Feb 2000 23:59:60 GMT", 951_868_800),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ])
    func http(text: String, seconds: Double) {
        #expect(HTTPDate.parse(text) == Date(timeIntervalSince1970: seconds))
    }

    @Test(
        "Days that do not exist are no dates",
        arguments: [
            "Wed, 29 Feb 2023 00:00:00 GMT", "Mon, 29 Feb 2100 00:00:00 GMT", "Sun, 31 Jun 2026 00:00:00 GMT",
            "Sun, 00 Jan 2026 00:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
            "06 Nov 1994",
            // Forms that no server has sent since the nineties.
            "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        ])
    func notADate(text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }

    @Test("Two renderings of every month's days agree with the parsers")
    func everyDay() {
        for day in stride(from: 0, to: 40_000, by: 13) {
            let seconds = Double(day) * 86400 + 45_296
            let expected = Date(timeIntervalSince1970: seconds)
            #expect(HTTPDate.parse(Stamp.http(seconds)) == expected)
            #expect(ISODateTime.parse(Stamp.iso(seconds), as: .lenient) == expected)
        }
    }
}
