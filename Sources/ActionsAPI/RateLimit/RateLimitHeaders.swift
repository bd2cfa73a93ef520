import Foundation
import HTTPTypes

/// What one answer says about its bucket's budget: `X-RateLimit-Limit`, `-Remaining`, `-Reset` and `Retry-After`.
///
/// The API types the reset as a `date-time` and describes it as a Unix timestamp, so every form that either may mean is
/// read. What cannot be read is nil; no input traps.
package struct RateLimitHeaders: Sendable, Equatable {
    /// How exactly the server names a reset.
    package enum Grain: Sendable, Equatable {
        /// Rounded to a second in an unknown direction: the true instant may be up to a second later.
        case wholeSeconds
        case finer
    }

    /// Requests allowed in one window, 0 or more.
    package var limit: Int?
    /// Requests left in the window, 0 or more.
    package var remaining: Int?
    /// From the moment of receipt to the end of the window, corrected for the server's clock. It may be too long by
    /// the answer's time of travel and the grain of the `Date` header; zero when the named instant has passed.
    package var resetsIn: Duration?
    /// The reset as the server's own clock names it: the same in all answers of one window, whatever their time of
    /// travel. Nil where the reset came as seconds from now.
    package var resetInstant: Date?
    package var resetGrain: Grain
    /// How long the server wants no more requests, from the moment of receipt; zero when the named instant has passed.
    package var retryAfter: Duration?
    /// The server's time at the answer, to the second, by its `Date` header.
    package var date: Date?

    package init(
        limit: Int? = nil, remaining: Int? = nil, resetsIn: Duration? = nil, resetInstant: Date? = nil,
        resetGrain: Grain = .wholeSeconds, retryAfter: Duration? = nil, date: Date? = nil
    ) {
        self.limit = limit
        self.remaining = remaining
        self.resetsIn = resetsIn
        self.resetInstant = resetInstant
        self.resetGrain = resetGrain
        self.retryAfter = retryAfter
        self.date = date
    }

    /// - Parameters:
    ///   - fields: the fields of the answer's head.
    ///   - receivedAt: the local instant at which the head came in.
    package init(_ fields: HTTPFields, receivedAt: Date) {
        let values = Values(fields)
        let date = values.date.flatMap(HTTPDate.parse)
        let serverNow = Self.serverNow(date: date, receivedAt: receivedAt)
        let reset = values.reset.flatMap { Reset($0, serverNow: serverNow) }
        self.init(
            limit: values.limit.flatMap(Self.count).flatMap { $0 < 0 ? nil : $0 },
            remaining: values.remaining.flatMap(Self.count).map { max(0, $0) },
            resetsIn: reset?.length,
            resetInstant: reset?.instant,
            resetGrain: reset?.grain ?? .wholeSeconds,
            retryAfter: values.retryAfter.flatMap { Self.retryAfter($0, serverNow: serverNow) },
            date: date
        )
    }

    /// The fields as they came, found in one pass: every answer is read so. Of fields of one name the first counts, and
    /// one with an `X-` before one without.
    private struct Values {
        var date: String?
        var limit: String?
        var remaining: String?
        var reset: String?
        var retryAfter: String?

        init(_ fields: HTTPFields) {
            var (newLimit, newRemaining, newReset): (String?, String?, String?)
            for field in fields {
                switch field.name.canonicalName {
                case "date": date = date ?? trimmed(field.value)
                case "x-ratelimit-limit": limit = limit ?? trimmed(field.value)
                case "x-ratelimit-remaining": remaining = remaining ?? trimmed(field.value)
                case "x-ratelimit-reset": reset = reset ?? trimmed(field.value)
                case "ratelimit-limit": newLimit = newLimit ?? trimmed(field.value)
                case "ratelimit-remaining": newRemaining = newRemaining ?? trimmed(field.value)
                case "ratelimit-reset": newReset = newReset ?? trimmed(field.value)
                case "retry-after": retryAfter = retryAfter ?? trimmed(field.value)
                default: break
                }
            }
            limit = limit ?? newLimit
            remaining = remaining ?? newRemaining
            reset = reset ?? newReset
        }
    }

    /// The server's clock at the moment of receipt.
    ///
    /// `Date` is cut to whole seconds and the answer has travelled since, so clocks that agree differ by 0 to a little
    /// over 1 s. Within that the local clock is used, being finer; beyond it the header, which is never ahead of the
    /// server's clock, so that a wait measured from it is never too short.
    private static func serverNow(date stamp: Date?, receivedAt: Date) -> Date {
        guard let stamp else { return receivedAt }
        return (-0.25...1.25).contains(receivedAt.timeIntervalSince(stamp)) ? receivedAt : stamp
    }

    private static func retryAfter(_ text: String, serverNow: Date) -> Duration? {
        let seconds = decimal(text) ?? HTTPDate.parse(text)?.timeIntervalSince(serverNow)
        guard let seconds, abs(seconds) <= aYear else { return nil }
        return Duration(inSeconds: max(0, seconds))
    }

    /// A count, of which only the first item matters where a list or parameters follow it, as in `600, 600;w=300`.
    private static func count(_ text: String) -> Int? {
        if let count = Int(text) { return count }
        return text.split { $0 == "," || $0 == ";" }.first.flatMap { Int(trimmed($0)) }
    }
}

extension HTTPField.Name {
    package static let xRateLimitLimit = Self("X-RateLimit-Limit")!
    package static let xRateLimitRemaining = Self("X-RateLimit-Remaining")!
    package static let xRateLimitReset = Self("X-RateLimit-Reset")!
}

extension RateLimitHeaders {
    /// Of the fields that say how much of the window is left.
    static let names: [HTTPField.Name] =
        [.xRateLimitLimit, .xRateLimitRemaining, .xRateLimitReset]
        + ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"].compactMap { HTTPField.Name($0) }
}

extension RateLimitHeaders {
    private struct Reset {
        let instant: Date?
        let length: Duration
        let grain: Grain

        /// Below 10^8 a number is seconds from now, below 10^11 (the year 5138) epoch seconds, else epoch milliseconds.
        init?(_ text: String, serverNow: Date) {
            let seconds: Double
            switch decimal(text) {
            case .some(let number) where number < 1e8:
                (instant, seconds) = (nil, number)
                grain = Self.grain(of: number)
            case .some(let number):
                let epoch = number < 1e11 ? number : number / 1000
                instant = Date(timeIntervalSince1970: epoch)
                seconds = epoch - serverNow.timeIntervalSince1970
                grain = Self.grain(of: epoch)
            case nil:
                guard let date = ISODateTime.parse(text, as: .lenient) ?? HTTPDate.parse(text) else {
                    return nil
                }
                (instant, seconds) = (date, date.timeIntervalSince(serverNow))
                grain = Self.grain(of: date.timeIntervalSince1970)
            }
            guard abs(seconds) <= aYear else { return nil }
            length = Duration(inSeconds: max(0, seconds))
        }

        /// A fraction of zero is taken for no fraction: some servers cut to seconds and then print milliseconds.
        private static func grain(of seconds: Double) -> Grain {
            seconds == seconds.rounded() ? .wholeSeconds : .finer
        }
    }

    /// Further away, in either direction, an instant is taken for garbage.
    private static let aYear = 366.0 * 86400

    /// Digits with at most one point between them; no sign, no exponent.
    private static func decimal(_ text: String) -> Double? {
        guard text.utf8.count <= 40 else { return nil }
        var (digits, hasPoint) = (0, false)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
            case UInt8(ascii: ".") where digits > 0 && !hasPoint: (digits, hasPoint) = (0, true)
            default: return nil
            }
        }
        return digits > 0 ? Double(text) : nil
    }

    /// Without the spaces and tabs that HTTP allows around a value.
    private static func trimmed(_ text: Substring) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        var bytes = text.utf8
        while let first = bytes.first, isSpace(first) { bytes.removeFirst() }
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return String(Substring(bytes))
    }

    private static func trimmed(_ text: String) -> String {
        guard let first = text.utf8.first, let last = text.utf8.last else { return text }
        let isTrimmed = first > UInt8(ascii: " ") && last > UInt8(ascii: " ")
        return isTrimmed ? text : trimmed(text[...])
    }
}
