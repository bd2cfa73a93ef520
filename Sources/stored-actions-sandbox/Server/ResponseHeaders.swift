import Foundation
import HTTPTypes

/// The headers that every answer carries, in the forms that the settings ask for.
struct ResponseHeaders: Sendable {
    let settings: Settings
    /// The true time; what goes out is shifted by the clock offset.
    let now: Date

    func all(for answer: Answer, rate: RateWindow.Reading?) -> HTTPFields {
        var headers: HTTPFields = [
            .date: Timestamp(shifted(now)).httpDate,
            .contentLength: String(answer.body.count),
        ]
        // The API sends none with a 403.
        if let rate, answer.status != 403 {
            headers[.rateLimitLimit] = String(rate.limit)
            headers[.rateLimitRemaining] = String(rate.remaining)
            headers[.rateLimitReset] = reset(rate.resetsAt)
        }
        headers[.retryAfter] = answer.retryAfter.flatMap(retryAfter)
        return headers
    }

    private func reset(_ instant: Date) -> String? {
        let seconds = shifted(instant).timeIntervalSince1970
        return switch settings.resetFormat {
        case .epoch: String(Int(seconds.rounded(.up)))
        case .epochMilliseconds: String(Int((seconds * 1000).rounded(.up)))
        case .epochFraction: String(format: "%.3f", (seconds * 1000).rounded(.up) / 1000)
        case .iso8601: Timestamp(Date(timeIntervalSince1970: seconds.rounded(.up))).iso8601
        case .seconds: String(Int(instant.timeIntervalSince(now).rounded(.up)))
        case .none: nil
        }
    }

    private func retryAfter(_ seconds: Int) -> String? {
        switch settings.retryAfterFormat {
        case .seconds: return String(seconds)
        case .date:
            // Up to the next whole second: a date has no finer unit, and must not lie before the time meant.
            let instant = shifted(now.addingTimeInterval(TimeInterval(seconds))).timeIntervalSince1970.rounded(.up)
            return Timestamp(Date(timeIntervalSince1970: instant)).httpDate
        case .none: return nil
        }
    }

    private func shifted(_ date: Date) -> Date { date.addingTimeInterval(settings.clockOffset) }
}

extension HTTPField.Name {
    static let rateLimitLimit = Self("X-RateLimit-Limit")!
    static let rateLimitRemaining = Self("X-RateLimit-Remaining")!
    static let rateLimitReset = Self("X-RateLimit-Reset")!
}
