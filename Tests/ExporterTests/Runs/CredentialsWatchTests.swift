import Testing

@testable import Exporter

@Suite("Telling forbidden runs from bad credentials")
struct CredentialsWatchTests {
    let forbidden = RunStep.settle(Verdict(outcome: .forbidden, seenAlive: false))
    let success = RunStep.settle(Verdict(outcome: .success, seenAlive: true))

    @Test("When the first 20 answers are all 403, the credentials are at fault")
    func allForbidden() {
        var watch = CredentialsWatch()
        for _ in 1..<20 { #expect(watch.saw(forbidden) == .hold) }
        #expect(watch.saw(forbidden) == .refuse)
        #expect(watch.saw(success) == .refuse)
    }

    @Test("One other answer among them, and they are forbidden in truth")
    func oneGood() {
        var watch = CredentialsWatch()
        for _ in 1..<20 { #expect(watch.saw(forbidden) == .hold) }
        #expect(watch.saw(success) == .trust)
        for _ in 0..<50 { #expect(watch.saw(forbidden) == .trust) }
    }

    @Test("A refusal of the token counts at any time")
    func refusal() {
        var watch = CredentialsWatch()
        #expect(watch.saw(success) == .trust)
        #expect(watch.saw(.refuse) == .refuse)
        #expect(watch.saw(success) == .refuse)
    }

    @Test("What says nothing of the credentials changes nothing")
    func noWord() {
        var watch = CredentialsWatch()
        for _ in 1..<20 {
            #expect(watch.saw(forbidden) == .hold)
            #expect(watch.saw(.retry(after: .seconds(1))) == .hold)
            #expect(watch.saw(.askAgain) == .hold)
            #expect(watch.saw(.settle(Verdict(outcome: .failed, failure: "500", seenAlive: false))) == .hold)
        }
        #expect(watch.saw(forbidden) == .refuse)
    }

    @Test("202, 404 and the like show that the token is read")
    func otherAnswers() {
        let steps: [RunStep] = [
            .poll(Verdict(outcome: .pending, seenAlive: true), after: .seconds(1)),
            .settle(Verdict(outcome: .expired, evidence: .ageUnknown, seenAlive: false)),
            .settle(Verdict(outcome: .rejected, seenAlive: false)),
        ]
        for step in steps {
            var watch = CredentialsWatch()
            #expect(watch.saw(forbidden) == .hold)
            #expect(watch.saw(step) == .trust)
        }
    }
}
