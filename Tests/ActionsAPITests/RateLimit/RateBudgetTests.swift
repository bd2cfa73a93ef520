import ActionsAPI
import Foundation
import Testing

/// The instant so many seconds into a test.
private func at(_ seconds: Double) -> Date { Date(timeIntervalSince1970: 1_796_000_000 + seconds) }

/// An answer's headers; the reset lies at `at(end)`, named to the fraction of a second.
private func heard(_ remaining: Int?, of limit: Int? = 10, until end: Double? = nil, now: Double = 0)
    -> RateLimitHeaders
{
    RateLimitHeaders(
        limit: limit, remaining: remaining, resetsIn: end.map { .seconds(max(0, $0 - now)) },
        resetInstant: end.map(at), resetGrain: .finer)
}

private let silence = RateLimitHeaders()

/// A budget that has heard once, at 0 s, with nothing in flight.
private func taught(_ remaining: Int, of limit: Int = 10, until end: Double? = 100, share: Double = 1) -> RateBudget {
    var budget = RateBudget(share: share)
    #expect(budget.request(at: at(0)) == .go)
    budget.answered(heard(remaining, of: limit, until: end), status: 200, at: at(0))
    return budget
}

extension RateBudget {
    /// Requests until one is not let go; how many left.
    fileprivate mutating func burst(at now: Date) -> Int {
        var count = 0
        while count < 1000, request(at: now) == .go { count += 1 }
        return count
    }
}

@Suite("The rate budget learns")
struct RateBudgetLearningTests {
    @Test("It opens with one request when it knows nothing")
    func opensWithOne() {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        #expect(budget.request(at: at(0)) == .waitForAnswer)
        #expect(budget.request(at: at(500)) == .waitForAnswer)
        budget.answered(heard(9, until: 100, now: 1), status: 200, at: at(1))
        #expect(budget.burst(at: at(1)) == 9)
    }

    @Test("A body that quotes a 429 closes the window that its head left open")
    func quotedRefusal() {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(9, until: 60, now: 1), status: 200, at: at(1))
        #expect(budget.request(at: at(1)) == .go)
        budget.answered(heard(8, until: 60, now: 2), status: 200, at: at(2))
        budget.wasThrottled(heard(8, until: 60, now: 2), at: at(3))
        guard case .wait(let until) = budget.request(at: at(3)) else {
            Issue.record("the window is closed")
            return
        }
        #expect(until >= at(60))
    }

    @Test("A token without rate headers is exempt until headers or a 429 come")
    func exempt() {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(silence, status: 404, at: at(1))
        #expect(budget.burst(at: at(1)) == 1000)
        budget.answered(heard(3, until: 100, now: 2), status: 200, at: at(2))
        #expect(budget.request(at: at(2)) == .waitForAnswer)
    }

    @Test("A 403, an error of a proxy and a lost request teach nothing", arguments: [403, 502, 503, nil])
    func teachesNothing(status: Int?) {
        var budget = RateBudget(share: 1)
        for second in 0..<30 {
            #expect(budget.request(at: at(Double(second))) == .go)
            #expect(budget.request(at: at(Double(second))) == .waitForAnswer)
            if let status {
                budget.answered(silence, status: status, at: at(Double(second)))
            } else {
                budget.lost(at: at(Double(second)))
            }
        }
    }

    @Test("The headers of a 503 teach as any")
    func serverErrorTeaches() {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(4, until: 100), status: 503, at: at(0))
        #expect(budget.burst(at: at(0)) == 4)
    }

    @Test("A slot given back is free again")
    func notSent() {
        var budget = taught(1)
        #expect(budget.request(at: at(1)) == .go)
        #expect(budget.request(at: at(1)) == .waitForAnswer)
        budget.notSent(at: at(1))
        #expect(budget.request(at: at(1)) == .go)
        var fresh = RateBudget(share: 1)
        #expect(fresh.request(at: at(0)) == .go)
        fresh.notSent(at: at(0))
        #expect(fresh.request(at: at(0)) == .go)
    }

    @Test("Without a remaining, own requests are counted down from the limit")
    func countsDown() {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(nil, of: 5, until: 100), status: 200, at: at(0))
        #expect(budget.remaining == 4)
        #expect(budget.burst(at: at(0)) == 4)
        for _ in 0..<4 { budget.answered(heard(nil, of: 5, until: 100, now: 1), status: 200, at: at(1)) }
        #expect(budget.request(at: at(1)) == .wait(until: at(100.02)))
    }

    @Test("Without a limit, the largest remaining stands for it")
    func limitAbsent() {
        var budget = RateBudget(share: 0.5)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(9, of: nil, until: 100), status: 200, at: at(0))
        #expect(budget.limit == 9)
        #expect(budget.burst(at: at(0)) == 5)
    }

    @Test(
        "Numbers that make no sense do no harm",
        arguments: [(0, 0), (-5, 3), (3, -5), (Int.min, Int.min), (Int.max, Int.max), (1, Int.max)])
    func senseless(limit: Int, remaining: Int) {
        for share in [1, 0.8, 0, -1, .nan, .infinity] {
            var budget = RateBudget(share: share)
            for second in stride(from: 0.0, to: 1000, by: 50) {
                if budget.request(at: at(second)) == .go {
                    budget.answered(heard(remaining, of: limit, until: 100, now: second), status: 200, at: at(second))
                }
                #expect(budget.remaining ?? 0 >= 0)
            }
            budget.notSent(at: at(1000))
            budget.lost(at: at(1000))
            #expect(budget.inFlight == 0)
        }
    }
}

@Suite("The rate budget spends a window")
struct RateBudgetWindowTests {
    @Test("Never more leaves than the last remaining less what is in flight")
    func inFlightCounts() {
        var budget = taught(3)
        #expect(budget.burst(at: at(1)) == 3)
        #expect(budget.remaining == 0)
        budget.answered(heard(2, until: 100), status: 200, at: at(2))
        #expect(budget.request(at: at(2)) == .waitForAnswer)
        budget.answered(heard(1, until: 100), status: 200, at: at(2))
        budget.answered(heard(0, until: 100), status: 200, at: at(2))
        #expect(budget.request(at: at(2)) == .wait(until: at(100.02)))
    }

    @Test(
        "The others' share is left", arguments: [(0.8, 600, 480), (0.5, 10, 5), (0.9, 10, 9), (1, 10, 10), (0.7, 3, 3)])
    func share(share: Double, limit: Int, own: Int) {
        var budget = taught(limit, of: limit, share: share)
        #expect(budget.burst(at: at(0)) == own)
    }

    @Test("An answer that was overtaken does not raise remaining")
    func overtaken() {
        var budget = taught(8)
        #expect(budget.request(at: at(0)) == .go)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(2, until: 100), status: 200, at: at(1))
        budget.answered(heard(7, until: 100), status: 200, at: at(1))
        #expect(budget.remaining == 2)
    }

    @Test("A fall that our own requests do not explain is believed")
    func othersSpend() {
        var budget = taught(9)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(1, until: 100), status: 200, at: at(1))
        #expect(budget.burst(at: at(1)) == 1)
    }

    @Test("A lost request counts until an answer to a later one has told")
    func lostCounts() {
        var budget = taught(5)
        #expect(budget.request(at: at(0)) == .go)
        #expect(budget.request(at: at(0)) == .go)
        budget.lost(at: at(1))
        #expect(budget.remaining == 3)
        budget.answered(heard(4, until: 100), status: 200, at: at(1))
        #expect(budget.remaining == 3)
        #expect(budget.request(at: at(1)) == .go)
        budget.answered(heard(3, until: 100), status: 200, at: at(2))
        #expect(budget.remaining == 3)
    }

    @Test("After the reset one request opens the window, and its answer lets the rest go")
    func opensNext() {
        var budget = taught(0)
        #expect(budget.request(at: at(50)) == .wait(until: at(100.02)))
        #expect(budget.request(at: at(100.02)) == .go)
        #expect(budget.request(at: at(100.03)) == .waitForAnswer)
        budget.answered(heard(6, until: 200, now: 101), status: 200, at: at(101))
        #expect(budget.burst(at: at(101)) == 6)
    }

    @Test("An unspent window that has passed is opened by one request as well")
    func opensAfterUnspent() {
        var budget = taught(9)
        #expect(budget.request(at: at(99)) == .go)
        #expect(budget.request(at: at(101)) == .go)
        #expect(budget.request(at: at(101)) == .waitForAnswer)
    }

    @Test("The opening request goes whatever the share")
    func openingIgnoresShare() {
        var budget = taught(1, of: 1, share: 0.01)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(0, of: 1, until: 100), status: 200, at: at(0))
        #expect(budget.request(at: at(101)) == .go)
    }

    @Test("A window that is reset early is believed at once")
    func earlyReset() {
        var budget = taught(1)
        #expect(budget.request(at: at(10)) == .go)
        budget.answered(heard(9, until: 400, now: 11), status: 200, at: at(11))
        #expect(budget.burst(at: at(11)) == 9)
    }

    @Test("An answer of the window before does not count for the new one")
    func stragglerOfOldWindow() {
        var budget = taught(9)
        #expect(budget.request(at: at(10)) == .go)
        #expect(budget.request(at: at(10)) == .go)
        budget.answered(heard(9, until: 400, now: 11), status: 200, at: at(11))
        budget.answered(heard(0, until: 100, now: 12), status: 200, at: at(12))
        #expect(budget.remaining == 9)
        #expect(budget.resetsAt == at(400))
    }

    @Test("Seconds from now that travelled for long do not make a new window")
    func slowAnswerOfSameWindow() {
        func answer(_ remaining: Int, left: Int) -> RateLimitHeaders {
            RateLimitHeaders(limit: 10, remaining: remaining, resetsIn: .seconds(left))
        }
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(answer(9, left: 300), status: 200, at: at(0))
        for _ in 0..<2 { #expect(budget.request(at: at(0)) == .go) }
        budget.answered(answer(2, left: 299), status: 200, at: at(1))
        budget.answered(answer(8, left: 300), status: 200, at: at(20))
        #expect(budget.remaining == 2)
    }

    @Test("A server that takes a far reset back is believed once it answers a newer request")
    func resetTakenBack() {
        var budget = taught(5, until: 1_000_000)
        #expect(budget.request(at: at(1)) == .go)
        budget.answered(heard(3, until: 100, now: 1), status: 200, at: at(1))
        #expect(budget.resetsAt == at(100))
    }

    @Test("A late reset: the opening request tells, and the bucket waits again, longer each time")
    func lateReset() {
        var budget = taught(0)
        var openings: [Double] = []
        var now = 100.02
        while openings.count < 5 {
            if case .wait(let until) = budget.request(at: at(now)) {
                now = until.timeIntervalSince(at(0)) + 1e-6
            } else {
                openings.append(now)
                budget.answered(heard(0, until: 100, now: now), status: 200, at: at(now))
            }
        }
        let gaps = zip(openings.dropFirst(), openings).map { $0 - $1 }
        #expect(zip(gaps, [0.25, 0.5, 1, 2]).allSatisfy { abs($0 - $1) < 0.01 }, "\(gaps)")
    }

    @Test(
        "A reset in whole seconds is given a twentieth of the window, a second at most",
        arguments: [(3.0, 0.15), (300, 1)])
    func wholeSecondMargin(length: Double, margin: Double) {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        let answer = RateLimitHeaders(limit: 1, remaining: 0, resetsIn: .seconds(length), resetInstant: at(length))
        budget.answered(answer, status: 200, at: at(0))
        #expect(abs((budget.nextOpening ?? at(0)).timeIntervalSince(at(length)) - margin) < 0.001)
        #expect(budget.request(at: at(length + margin - 0.01)) != .go)
        #expect(budget.request(at: at(length + margin + 0.01)) == .go)
    }

    @Test("An opening that was refused makes a bucket of whole seconds wait the whole second from then on")
    func marginIsLearned() {
        var budget = RateBudget(share: 1)
        func answer(_ end: Double, now: Double) -> RateLimitHeaders {
            RateLimitHeaders(limit: 1, remaining: 0, resetsIn: .seconds(max(0, end - now)), resetInstant: at(end))
        }
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(answer(3, now: 0), status: 200, at: at(0))
        #expect(budget.request(at: at(3.2)) == .go)
        budget.answered(answer(3, now: 3.2), status: 429, at: at(3.2))
        #expect(budget.request(at: at(3.3)) == .wait(until: at(4)))
        #expect(budget.request(at: at(4)) == .go)
        budget.answered(answer(7, now: 4), status: 200, at: at(4))
        #expect(budget.request(at: at(5)) == .wait(until: at(8)))
    }
}
