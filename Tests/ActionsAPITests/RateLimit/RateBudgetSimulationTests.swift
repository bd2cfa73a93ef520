import ActionsAPI
import Testing

@Suite("The rate budget over simulated windows")
struct RateBudgetSimulationTests {
    typealias Form = BudgetSimulation.Form

    struct Windows: Sendable, CustomTestStringConvertible {
        var limit: Int
        var length: Double
        var requests: Int

        var testDescription: String { "\(requests) requests at \(limit) per \(length) s" }
        /// All windows but the last must pass, and no more.
        var leastSeconds: Double { Double((requests + limit - 1) / limit - 1) * length }
    }

    static let windows = [
        Windows(limit: 1, length: 3, requests: 20),
        Windows(limit: 60, length: 3, requests: 300),
        Windows(limit: 60, length: 300, requests: 180),
        Windows(limit: 600, length: 300, requests: 1300),
    ]

    @Test(
        "Alone, it meets no 429, or one with a reset cut to seconds, and loses little time",
        arguments: Form.allCases, windows)
    func alone(form: Form, windows: Windows) {
        for (aligned, clockOffset) in [(true, 0.0), (false, 0), (true, 600), (false, -600)] {
            let outcome = BudgetSimulation(
                seed: 7, limit: windows.limit, length: windows.length, form: form, aligned: aligned,
                requests: windows.requests, clockOffset: clockOffset
            ).run()
            #expect(outcome.standstill == nil)
            #expect(outcome.overspends == 0)
            #expect(outcome.refusals <= (form.isCut ? 1 : 0), "aligned \(aligned), offset \(clockOffset)")
            // Whole seconds cost a second a window at most, the opening request one journey, the last answers another.
            let blur = !aligned && form.isWhole || clockOffset != 0 ? 1.05 : 0.2
            let count = windows.leastSeconds / windows.length
            #expect(outcome.seconds >= windows.leastSeconds - windows.length)
            #expect(outcome.seconds <= windows.leastSeconds + (count + 1) * (blur + 0.35) + 1.5)
        }
    }

    @Test("The largest limit is spent at full speed")
    func largestLimit() {
        let outcome = BudgetSimulation(limit: 3000, length: 300, form: .epochCut, requests: 6100).run()
        #expect(outcome.refusals <= 1)
        #expect(outcome.overspends == 0)
        #expect(outcome.seconds > 600 && outcome.seconds < 610)
    }

    @Test(
        "Over days, others' spending and lost requests never make it overspend or stand still", arguments: Form.allCases
    )
    func days(form: Form) {
        for (seed, clockOffset) in [(1, -600.0), (2, 0), (3, 417)] as [(UInt64, Double)] {
            let outcome = BudgetSimulation(
                seed: seed, limit: 6, length: 300, form: form, aligned: seed != 2, requests: 900,
                clockOffset: clockOffset,
                latency: 0.02...2.5, othersRate: 0.006, lossRate: 0.05, retryAfterHeader: seed != 3
            ).run()
            #expect(outcome.standstill == nil)
            #expect(outcome.overspends == 0)
            // Others take about two of the six; a refusal a window is what a race with them may cost.
            #expect(outcome.seconds > 86400 / 2 && outcome.seconds < 2 * 86400)
            #expect(Double(outcome.refusals) < outcome.seconds / 300)
        }
    }

    @Test("A window of 3 seconds that others share keeps being spent")
    func shortSharedWindow() {
        for seed in 1...4 as ClosedRange<UInt64> {
            let outcome = BudgetSimulation(
                seed: seed, limit: 60, length: 3, form: .epochCut, requests: 600, latency: 0.01...0.8, othersRate: 5,
                lossRate: 0.02
            ).run()
            #expect(outcome.standstill == nil)
            #expect(outcome.overspends == 0)
            #expect(outcome.seconds < 90)
        }
    }

    @Test("Without a reset header the window's end is found by a few requests", arguments: [3.0, 30, 300])
    func withoutReset(length: Double) {
        let outcome = BudgetSimulation(
            seed: 5, limit: 60, length: length, requests: 300, retryAfterHeader: false, resetHeader: false
        ).run()
        #expect(outcome.standstill == nil)
        // The waits double, so the end is overshot by no more than has passed, nor by more than the longest wait.
        #expect(outcome.refusals <= 5 * 9)
        #expect(outcome.seconds >= 3 * length && outcome.seconds < 5 * length + 5 * min(length, 60) + 10)
    }

    @Test("With a share, what is not its own stays unspent but for nothing", arguments: [0.5, 0.8])
    func share(share: Double) {
        let play = BudgetSimulation(limit: 100, length: 300, requests: 400, share: share)
        let outcome = play.run()
        let windows = (400 / (100 * share)).rounded(.up) - 1
        #expect(outcome.refusals == 0)
        #expect(outcome.seconds >= windows * 300 - 1 && outcome.seconds < windows * 300 + 10)
    }

    @Test("Any share, however small, makes progress of one request a window")
    func smallestShare() {
        let outcome = BudgetSimulation(limit: 10, length: 3, requests: 10, share: 0.001).run()
        #expect(outcome.standstill == nil)
        #expect(outcome.seconds > 26 && outcome.seconds < 31)
    }
}
