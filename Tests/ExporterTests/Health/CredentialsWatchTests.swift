import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Telling forbidden runs from bad credentials")
struct CredentialsWatchTests {
    let forbidden = RunStep.conclude(Verdict(outcome: .forbidden, seenAlive: false))
    let success = RunStep.conclude(Verdict(outcome: .success, seenAlive: true))

    @Test("When the first 20 answers are all 403, the credentials are at fault")
    func allForbidden() {
        var watch = CredentialsWatch()
        for _ in 1..<20 { #expect(watch.saw(forbidden, status: 403) == .hold) }
        #expect(watch.saw(forbidden, status: 403) == .refuse)
        #expect(watch.saw(forbidden, status: 403) == .refuse)
    }

    @Test("One other answer among them, and they are forbidden in fact")
    func oneGood() {
        var watch = CredentialsWatch()
        // What was found before says nothing of the credentials either way.
        for _ in 0..<50 { #expect(watch.saw(forbidden, status: 403, wasForbidden: true) == .pass) }
        for _ in 1..<20 { #expect(watch.saw(forbidden, status: 403) == .hold) }
        #expect(watch.saw(success, status: 200) == .accept)
        for _ in 0..<50 { #expect(watch.saw(forbidden, status: 403) == .accept) }
    }

    @Test("A refusal of the token counts at any time")
    func refusal() {
        var watch = CredentialsWatch()
        #expect(watch.saw(success, status: 200) == .accept)
        #expect(watch.saw(.refuse, status: 401) == .refuse)
        #expect(watch.saw(forbidden, status: 403) == .refuse)
    }

    @Test("What was answered well before the refusal was heard of is kept")
    func inFlight() {
        var watch = CredentialsWatch()
        #expect(watch.saw(.refuse, status: 401) == .refuse)
        #expect(watch.saw(success, status: 200) == .accept)
    }

    @Test(
        "A firewall's pages say nothing of the credentials: 20 of them, and the API is out of reach",
        arguments: [401, 403])
    func pages(status: Int) {
        var watch = CredentialsWatch()
        #expect(!watch.hasSeenOnlyPages)
        for _ in 1..<20 {
            #expect(watch.saw(.retry(after: .seconds(1)), status: status, isPage: true) == .pass)
            #expect(watch.hasSeenOnlyPages)
        }
        #expect(watch.saw(.retry(after: .seconds(1)), status: status, isPage: true) == .blocked)
    }

    @Test("A token that ended is no page of a firewall's, however many requests left with it")
    func endedTokens() {
        var watch = CredentialsWatch()
        for _ in 0..<50 { #expect(watch.saw(.askAgain, status: 401, isPage: true) == .pass) }
        #expect(!watch.hasSeenOnlyPages)
        #expect(watch.saw(success, status: 200) == .accept)
    }

    @Test("Pages among the API's own answers are failures like any other")
    func somePages() {
        var watch = CredentialsWatch()
        #expect(watch.saw(success, status: 200) == .accept)
        for _ in 0..<50 { #expect(watch.saw(.retry(after: .seconds(1)), status: 403, isPage: true) == .accept) }
        #expect(!watch.hasSeenOnlyPages)

        watch = CredentialsWatch()
        for _ in 0..<50 { _ = watch.saw(.retry(after: .seconds(1)), status: 403, isPage: true) }
        for _ in 1..<20 { #expect(watch.saw(forbidden, status: 403) == .hold) }
        #expect(watch.saw(forbidden, status: 403) == .refuse)
    }

    @Test("A 403 of the API's own that names another reason counts like permission_denied")
    func otherReason() {
        var watch = CredentialsWatch()
        for _ in 1..<20 { #expect(watch.saw(.retry(after: .seconds(1)), status: 403) == .pass) }
        #expect(watch.saw(.retry(after: .seconds(1)), status: 403) == .refuse)
    }

    @Test("What says nothing of the credentials changes nothing")
    func noWord() {
        var watch = CredentialsWatch()
        for _ in 1..<20 {
            #expect(watch.saw(forbidden, status: 403) == .hold)
            #expect(watch.saw(.retry(after: .seconds(1)), status: 500) == .pass)
            #expect(watch.saw(.askAgain, status: 429) == .pass)
            // A token that ended, and is renewed.
            #expect(watch.saw(.askAgain, status: 403) == .pass)
            #expect(
                watch.saw(.conclude(Verdict(outcome: .failed, failure: "500", seenAlive: false)), status: 500) == .pass)
        }
        #expect(watch.saw(forbidden, status: 403) == .refuse)
    }

    @Test("202, 404 and the like show that the token is read")
    func otherAnswers() {
        let steps: [RunStep] = [
            .poll(Verdict(outcome: .pending, seenAlive: true), after: .seconds(1)),
            .conclude(Verdict(outcome: .expired, evidence: .ageUnknown, seenAlive: false)),
            .conclude(Verdict(outcome: .rejected, seenAlive: false)),
        ]
        for step in steps {
            var watch = CredentialsWatch()
            #expect(watch.saw(forbidden, status: 403) == .hold)
            #expect(watch.saw(step, status: 404) == .accept)
        }
    }
}
