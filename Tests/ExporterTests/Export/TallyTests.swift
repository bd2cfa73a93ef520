import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Answers about runs that are not past their time")
struct TallyTests {
    private let absence = RunStep.conclude(Verdict(outcome: .expired, evidence: .ageUnknown, seenAlive: false))

    private func tally(_ notFound: Int) -> Tally {
        var tally = Tally()
        for _ in 0..<notFound { tally.answered(absence, status: 404, isPastTime: false) }
        return tally
    }

    @Test(
        "404 for all of 20 or more puts the account in doubt; fewer are only told of", arguments: [0, 1, 19, 20, 500])
    func number(notFound: Int) {
        #expect(tally(notFound).isOnlyNotFound == (notFound > 0))
        #expect(tally(notFound).isOfDoubtfulAccount == (notFound >= 20))
    }

    @Test(
        "One run that the API has, or knows of, and the account is the right one",
        arguments: [
            (RunStep.conclude(Verdict(outcome: .success, seenAlive: true)), 200),
            (.conclude(Verdict(outcome: .error, seenAlive: true)), 200),
            (.poll(Verdict(outcome: .pending, seenAlive: true), after: .seconds(1)), 202),
            (.conclude(Verdict(outcome: .forbidden, seenAlive: false)), 403),
            (.conclude(Verdict(outcome: .rejected, seenAlive: false)), 409),
            (.conclude(Verdict(outcome: .notFound, seenAlive: false)), 410),
        ] as [(RunStep, Int)])
    func other(step: RunStep, status: Int) {
        var tally = tally(50)
        tally.answered(step, status: status, isPastTime: false)
        #expect(!tally.isOnlyNotFound)
        #expect(!tally.isOfDoubtfulAccount)
    }

    @Test(
        "What says nothing of the run does not count: tokens, rate windows, servers in trouble",
        arguments: [
            (RunStep.askAgain, 401), (.askAgain, 429), (.retry(after: .seconds(1)), 500),
            (.conclude(Verdict(outcome: .failed, failure: "", seenAlive: false)), 502), (.refuse, 401),
            (.miss(after: .seconds(1)), 404),
        ] as [(RunStep, Int)])
    func nothing(step: RunStep, status: Int) {
        var tally = tally(20)
        tally.answered(step, status: status, isPastTime: false)
        tally.request(status: status)
        #expect(tally.isOfDoubtfulAccount)
    }

    @Test("Runs past their time are expected to be gone")
    func past() {
        var tally = Tally()
        for _ in 0..<50 { tally.answered(absence, status: 404, isPastTime: true) }
        #expect(!tally.isOnlyNotFound)
        tally.answered(.conclude(Verdict(outcome: .success, seenAlive: true)), status: 200, isPastTime: true)
        for _ in 0..<20 { tally.answered(absence, status: 404, isPastTime: false) }
        #expect(tally.isOfDoubtfulAccount)
    }
}
