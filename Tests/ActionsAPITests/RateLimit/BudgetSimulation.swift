import Foundation
import HTTPTypes
import Support

@testable import ActionsAPI
@testable import ActionsHTTP

/// A client, a network and a server with fixed windows, played in simulated time: same seed, same course.
struct BudgetSimulation {
    /// How the server writes its reset.
    enum Form: String, CaseIterable, Sendable {
        case epochRoundedUp, epochCut, epochFraction, milliseconds, isoCut, isoFraction, httpDateRoundedUp
        case secondsLeftRoundedUp, secondsLeftCut

        /// Whether the named reset may lie before the true one.
        var isCut: Bool { self == .epochCut || self == .isoCut || self == .secondsLeftCut }
        var isWhole: Bool { self != .epochFraction && self != .milliseconds && self != .isoFraction }
    }

    var seed: UInt64 = 1
    var limit: Int
    var length: Double
    var form = Form.epochFraction
    /// Windows begin at multiples of their length, or with the first request after the last one's end.
    var aligned = true
    var concurrency = 32
    var requests: Int
    var share = 1.0
    /// The client's clock minus the server's.
    var clockOffset: Double = 0
    var latency: ClosedRange<Double> = 0.01...0.15
    /// Requests a second by others, as far as the window has room for them.
    var othersRate: Double = 0
    /// The part of requests that end without an answer, counted by the server or not.
    var lossRate: Double = 0
    var retryAfterHeader = true
    var resetHeader = true

    struct Outcome {
        var seconds = 0.0
        var refusals = 0
        /// Requests that left although the last remaining heard, less those in flight, was spent, and the window of
        /// that answer had not ended; or beside an opening request.
        var overspends = 0
        /// Why the play came to a stand-still, if it did.
        var standstill: String?
    }

    /// The fixed-window counter; its clock is the true one.
    private struct Server {
        let limit: Int
        let length: Double
        let aligned: Bool
        var end = 0.0
        var used = 0
        var othersFrom = 0.0

        mutating func roll(at time: Double, othersRate: Double) {
            if time >= end {
                end = aligned ? ((time / length).rounded(.down) + 1) * length : time + length
                used = 0
                othersFrom = end - length
            }
            let others = Int(max(0, time - othersFrom) * othersRate)
            if others > 0 {
                used = min(limit, used + others)
                othersFrom = time
            }
        }
    }

    private struct Answer {
        var status: Int?
        var fields: HTTPFields = [:]
        var remaining = 0
        var windowEnd = 0.0
    }

    private enum Event {
        case arrival
        case answer(Answer)
    }

    func run() -> Outcome {
        var random = SplitMix(state: seed)
        var outcome = Outcome()
        var budget = RateBudget(share: share)
        var server = Server(limit: limit, length: length, aligned: aligned)
        var events = EventQueue<Event>()
        var now = 0.37
        var todo = requests
        var heard: Answer?
        var opened = 0
        let epoch = 1_796_000_000.0
        func local(_ time: Double) -> Date { Date(timeIntervalSince1970: epoch + time + clockOffset) }

        while todo > 0 || budget.inFlight > 0 {
            var wake: Double?
            while todo > 0, budget.inFlight < concurrency {
                let before = budget.inFlight
                let admission = budget.request(at: local(now))
                guard admission == .go else {
                    if case .wait(let until) = admission {
                        // A timer rings late, if by a microsecond: a `Date` is no more exact than a tenth of that.
                        wake = until.timeIntervalSince1970 - epoch - clockOffset + 1e-6
                        if until <= local(now) { outcome.standstill = "waits for the past" }
                    } else if before == 0 {
                        outcome.standstill = "waits for an answer with nothing in flight"
                    }
                    break
                }
                if let heard, heard.remaining - before <= 0 {
                    let early = form.isCut ? 1.0 : 0
                    if now < heard.windowEnd - early - 0.001 || opened > 0 { outcome.overspends += 1 }
                    opened += 1
                }
                todo -= 1
                events.add(.arrival, at: now + random.next(in: latency))
            }
            let next = events.time
            guard outcome.standstill == nil, let time = [next, wake].compactMap({ $0 }).min() else { break }
            // A sleep of some hundred years is a stand-still too.
            if time > now + 86400 { outcome.standstill = "waits for days" }
            now = max(now, time)
            guard let next, next <= now, let event = events.pop() else { continue }
            switch event {
            case .arrival:
                server.roll(at: now, othersRate: othersRate)
                var answer = Answer(status: server.used < limit ? 200 : 429)
                if random.unit() < lossRate {
                    if random.unit() < 0.5 { server.used = min(limit, server.used + 1) }
                    answer.status = nil
                } else {
                    server.used = min(limit, server.used + 1)
                    answer.remaining = limit - server.used
                    answer.windowEnd = server.end
                    answer.fields = fields(answer, at: now, epoch: epoch)
                }
                events.add(.answer(answer), at: now + random.next(in: latency))
            case .answer(let answer):
                outcome.seconds = now
                guard let status = answer.status else {
                    budget.lost(at: local(now))
                    opened = 0
                    todo += 1
                    continue
                }
                let headers = RateLimitHeaders(answer.fields, receivedAt: local(now))
                budget.answered(headers, status: status, at: local(now))
                if answer.windowEnd >= (heard?.windowEnd ?? 0) { heard = answer }
                opened = 0
                if status == 429 {
                    outcome.refusals += 1
                    todo += 1
                }
            }
        }
        return outcome
    }

    private func fields(_ answer: Answer, at time: Double, epoch: Double) -> HTTPFields {
        let reset = epoch + answer.windowEnd
        let left = answer.windowEnd - time
        let written =
            switch form {
            case .epochRoundedUp: String(Int(reset.rounded(.up)))
            case .epochCut: String(Int(reset.rounded(.down)))
            case .epochFraction: String(reset)
            case .milliseconds: String(Int((reset * 1000).rounded(.up)))
            case .isoCut: Stamp.iso(reset.rounded(.down))
            case .isoFraction: Stamp.iso(reset, milliseconds: true)
            case .httpDateRoundedUp: Stamp.http(reset.rounded(.up))
            case .secondsLeftRoundedUp: String(Int(left.rounded(.up)))
            case .secondsLeftCut: String(Int(left.rounded(.down)))
            }
        var fields: HTTPFields = [
            .xRateLimitLimit: String(limit), .xRateLimitRemaining: String(answer.remaining),
            .xRateLimitReset: written, .date: Stamp.http((epoch + time).rounded(.down)),
        ]
        if !resetHeader { fields[.xRateLimitReset] = nil }
        if answer.status == 429, retryAfterHeader { fields[.retryAfter] = String(Int(left.rounded(.up))) }
        return fields
    }
}

/// Events in the order of their time.
private struct EventQueue<Event> {
    private var events: [(time: Double, event: Event)] = []

    var time: Double? { events.last?.time }

    mutating func add(_ event: Event, at time: Double) {
        let place = events.lastIndex { $0.time > time } ?? -1
        events.insert((time, event), at: place + 1)
    }

    mutating func pop() -> Event? { events.popLast()?.event }
}

/// Dates as a server writes them; an own rendering, so that the parsers are not checked against themselves.
enum Stamp {
    static func http(_ epoch: Double) -> String {
        let parts = civil(epoch)
        let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][(parts.weekday ?? 1) - 1]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "\(weekday), \(two(parts.day)) \(months[(parts.month ?? 1) - 1]) \(parts.year ?? 0) \(time(parts)) GMT"
    }

    static func iso(_ epoch: Double, milliseconds: Bool = false) -> String {
        let rounded = milliseconds ? (epoch * 1000).rounded(.up) / 1000 : epoch
        let parts = civil(rounded.rounded(.down))
        let thousandths = Int(((rounded - rounded.rounded(.down)) * 1000).rounded())
        let fraction = milliseconds ? "." + String(String(1000 + thousandths).dropFirst()) : ""
        return "\(parts.year ?? 0)-\(two(parts.month))-\(two(parts.day))T\(time(parts))\(fraction)Z"
    }

    private static func civil(_ epoch: Double) -> DateComponents {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar.dateComponents(
            [.year, .month, .day, .weekday, .hour, .minute, .second], from: Date(timeIntervalSince1970: epoch))
    }

    private static func time(_ parts: DateComponents) -> String {
        "\(two(parts.hour)):\(two(parts.minute)):\(two(parts.second))"
    }

    private static func two(_ number: Int?) -> String { String(String(100 + (number ?? 0)).dropFirst()) }
}
