import ActionsAPI
import Foundation
import Testing

private func at(_ seconds: Double) -> Date { Date(timeIntervalSince1970: 1_796_000_000 + seconds) }

private func heard(_ remaining: Int, until end: Double, now: Double, retryAfter: Int? = nil) -> RateLimitHeaders {
    RateLimitHeaders(
        limit: 10, remaining: remaining, resetsIn: .seconds(max(0, end - now)), resetInstant: at(end),
        resetGrain: .finer, retryAfter: retryAfter.map { .seconds($0) })
}

private func retryAfter(_ seconds: Int?) -> RateLimitHeaders {
    RateLimitHeaders(retryAfter: seconds.map { .seconds($0) })
}

/// A budget with so many requests in flight at 0 s in a window of ten until 100 s.
private func busy(inFlight: Int) -> RateBudget {
    var budget = RateBudget(share: 1)
    #expect(budget.request(at: at(0)) == .go)
    budget.answered(heard(9, until: 100, now: 0), status: 200, at: at(0))
    for _ in 0..<inFlight { #expect(budget.request(at: at(0)) == .go) }
    return budget
}

@Suite("The rate budget and 429")
struct RateBudgetRefusalTests {
    @Test("The whole bucket freezes until the later of Retry-After and reset", arguments: [(5, 100.02), (500, 501)])
    func freezes(seconds: Int, until: Double) {
        var budget = busy(inFlight: 1)
        budget.answered(heard(0, until: 100, now: 1, retryAfter: seconds), status: 429, at: at(1))
        #expect(budget.request(at: at(2)) == .wait(until: at(until)))
        #expect(budget.request(at: at(until)) == .go)
        #expect(budget.request(at: at(until)) == .waitForAnswer)
    }

    @Test("With Retry-After alone it freezes so long, and one answer of the same window opens it again")
    func retryAfterAlone() {
        var budget = busy(inFlight: 1)
        budget.answered(retryAfter(7), status: 429, at: at(1))
        #expect(budget.request(at: at(2)) == .wait(until: at(8)))
        #expect(budget.request(at: at(8)) == .go)
        budget.answered(heard(6, until: 100, now: 9), status: 200, at: at(9))
        #expect(budget.request(at: at(9)) == .go)
        #expect(budget.request(at: at(9)) == .go)
    }

    @Test("With neither, the reset heard before is waited for")
    func rememberedReset() {
        var budget = busy(inFlight: 1)
        budget.answered(retryAfter(nil), status: 429, at: at(1))
        #expect(budget.request(at: at(2)) == .wait(until: at(100.02)))
    }

    @Test("With nothing known, the waits double from 1 to 60 s while opening requests are refused")
    func doubles() {
        var budget = RateBudget(share: 1)
        var now = 0.0
        for gap in [1.0, 2, 4, 8, 16, 32, 60, 60] {
            #expect(budget.request(at: at(now)) == .go)
            budget.answered(retryAfter(nil), status: 429, at: at(now))
            #expect(budget.request(at: at(now)) == .wait(until: at(now + gap)))
            now += gap
        }
        #expect(budget.request(at: at(now)) == .go)
        budget.answered(retryAfter(nil), status: 200, at: at(now))
        #expect(budget.request(at: at(now)) == .go)
        budget.answered(retryAfter(nil), status: 429, at: at(now))
        #expect(budget.request(at: at(now)) == .wait(until: at(now + 1)))
    }

    @Test("Retry-After of zero does not make it hammer")
    func retryAfterZero() {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(retryAfter(0), status: 429, at: at(0))
        #expect(budget.request(at: at(0)) == .wait(until: at(1)))
    }

    @Test("The 429s of one burst freeze once")
    func burstFreezesOnce() {
        var budget = busy(inFlight: 5)
        for second in 1...5 { budget.answered(retryAfter(10), status: 429, at: at(Double(second))) }
        #expect(budget.request(at: at(6)) == .wait(until: at(11)))
    }

    @Test("A 429 that names a time replaces a guess")
    func toldReplacesGuess() {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(retryAfter(nil), status: 200, at: at(0))
        for _ in 0..<2 { #expect(budget.request(at: at(0)) == .go) }
        budget.answered(retryAfter(nil), status: 429, at: at(1))
        #expect(budget.request(at: at(1)) == .wait(until: at(2)))
        budget.answered(retryAfter(30), status: 429, at: at(1.5))
        #expect(budget.request(at: at(2)) == .wait(until: at(31.5)))
    }

    @Test("A success that was sent before the 429 does not unfreeze")
    func olderSuccess() {
        var budget = busy(inFlight: 3)
        budget.answered(retryAfter(10), status: 429, at: at(1))
        budget.answered(heard(8, until: 100, now: 2), status: 200, at: at(2))
        #expect(budget.request(at: at(3)) == .wait(until: at(11)))
        #expect(budget.request(at: at(11)) == .go)
        budget.answered(heard(7, until: 100, now: 12), status: 200, at: at(12))
        // Two were out, and which of them came back nobody can tell.
        #expect(budget.request(at: at(12)) == .waitForAnswer)
        budget.answered(heard(6, until: 100, now: 13), status: 200, at: at(13))
        #expect(budget.request(at: at(13)) == .go)
    }

    @Test("While an opening request is out, a straggler's 429 counts as its refusal")
    func stragglerRefused() {
        var budget = busy(inFlight: 2)
        budget.answered(retryAfter(10), status: 429, at: at(1))
        #expect(budget.request(at: at(11)) == .go)
        budget.answered(retryAfter(10), status: 429, at: at(12))
        #expect(budget.request(at: at(12)) == .waitForAnswer)
        budget.answered(heard(8, until: 100, now: 13), status: 200, at: at(13))
        guard case .wait = budget.request(at: at(13)) else {
            Issue.record("the bucket opened although a request was refused")
            return
        }
    }

    @Test("An opening request that is lost is followed by another")
    func lostOpening() {
        var budget = busy(inFlight: 1)
        budget.answered(heard(0, until: 100, now: 1), status: 429, at: at(1))
        #expect(budget.request(at: at(101)) == .go)
        budget.lost(at: at(160))
        #expect(budget.request(at: at(160)) == .go)
        #expect(budget.request(at: at(160)) == .waitForAnswer)
    }
}

@Suite("The rate budget without a reset header")
struct RateBudgetWithoutResetTests {
    private func heard(_ remaining: Int) -> RateLimitHeaders { RateLimitHeaders(limit: 10, remaining: remaining) }

    private func spent() -> RateBudget {
        var budget = RateBudget(share: 1)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(1), status: 200, at: at(0))
        #expect(budget.request(at: at(0)) == .go)
        #expect(budget.request(at: at(0)) == .waitForAnswer)
        budget.answered(heard(0), status: 200, at: at(0))
        return budget
    }

    @Test("What remains is spent; then one request at a time asks, after 1, 2, 4 … 60 s while it is refused")
    func probes() {
        var budget = spent()
        var now = 0.0
        #expect(budget.request(at: at(now)) == .wait(until: at(1)))
        now = 1
        for gap in [1.0, 2, 4, 8] {
            #expect(budget.request(at: at(now)) == .go)
            #expect(budget.request(at: at(now)) == .waitForAnswer)
            budget.answered(RateLimitHeaders(), status: 429, at: at(now))
            #expect(budget.request(at: at(now)) == .wait(until: at(now + gap)))
            now += gap
        }
    }

    @Test("Under a share the gaps grow to 30 s while remaining keeps falling")
    func probesBelowShare() {
        var budget = RateBudget(share: 0.2)
        #expect(budget.request(at: at(0)) == .go)
        budget.answered(heard(8), status: 200, at: at(0))
        var now = 0.0
        for (remaining, gap) in zip(stride(from: 7, through: 0, by: -1), [1.0, 2, 4, 8, 16, 30, 30]) {
            #expect(budget.request(at: at(now)) == .wait(until: at(now + gap)))
            now += gap
            #expect(budget.request(at: at(now)) == .go)
            budget.answered(heard(remaining), status: 200, at: at(now))
        }
    }

    @Test("Remaining that goes up again opens the window")
    func goesUp() {
        var budget = spent()
        #expect(budget.request(at: at(1)) == .go)
        budget.answered(heard(9), status: 200, at: at(1))
        #expect(budget.remaining == 9)
        for _ in 0..<9 { #expect(budget.request(at: at(1)) == .go) }
        #expect(budget.request(at: at(1)) == .waitForAnswer)
    }

    @Test("Remaining that has stopped falling starts the gaps again")
    func stopsFalling() {
        var budget = spent()
        #expect(budget.request(at: at(1)) == .go)
        budget.answered(RateLimitHeaders(), status: 429, at: at(1))
        #expect(budget.request(at: at(2)) == .go)
        budget.answered(heard(0), status: 200, at: at(2))
        #expect(budget.request(at: at(2)) == .wait(until: at(3)))
    }
}
