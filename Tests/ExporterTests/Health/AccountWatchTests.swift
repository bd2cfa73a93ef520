import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Telling runs that are gone from a token of another account")
struct AccountWatchTests {
    private let witnesses = [UUID(), UUID(), UUID()]

    @Test("An account that has had no results is taken at its word")
    func noWitness() {
        var watch = AccountWatch(witnesses: [])
        #expect(watch.sawAbsence() == .accept)
    }

    @Test("The first absence asks, the others wait for the same look-up")
    func asksOnce() {
        var watch = AccountWatch(witnesses: witnesses)
        #expect(watch.sawAbsence() == .hold(lookUp: witnesses[0]))
        for _ in 0..<50 { #expect(watch.sawAbsence() == .hold(lookUp: nil)) }
        #expect(watch.lookedUp(witnesses[0], .seen) == .accept)
        for _ in 0..<50 { #expect(watch.sawAbsence() == .accept) }
    }

    @Test("Whatever else is looked up changes nothing")
    func others() {
        var watch = AccountWatch(witnesses: [witnesses[0]])
        #expect(watch.lookedUp(witnesses[0], .hidden) == nil)
        #expect(watch.sawAbsence() == .hold(lookUp: witnesses[0]))
        #expect(watch.lookedUp(UUID(), .hidden) == nil)
        #expect(watch.lookedUp(witnesses[0], .seen) == .accept)
        #expect(watch.lookedUp(witnesses[0], .hidden) == nil)
    }

    @Test("A stored action that was deleted refuses nobody, as long as the token sees another one")
    func deleted() {
        var watch = AccountWatch(witnesses: witnesses)
        _ = watch.sawAbsence()
        #expect(watch.lookedUp(witnesses[0], .hidden) == .lookUp(witnesses[1]))
        #expect(watch.sawAbsence() == .hold(lookUp: nil))
        #expect(watch.lookedUp(witnesses[1], .unknown) == .lookUp(witnesses[2]))
        #expect(watch.lookedUp(witnesses[2], .seen) == .accept)
    }

    @Test("A token that sees none of them is another account's, and nothing counts any more")
    func refused() {
        var watch = AccountWatch(witnesses: witnesses)
        _ = watch.sawAbsence()
        #expect(watch.lookedUp(witnesses[0], .hidden) == .lookUp(witnesses[1]))
        #expect(watch.lookedUp(witnesses[1], .hidden) == .lookUp(witnesses[2]))
        #expect(watch.lookedUp(witnesses[2], .unknown) == .refuse(witnesses[0]))
        #expect(watch.sawAbsence() == .drop)
    }

    @Test("A run of a witness shows that the token is the account's, though all of them have been deleted")
    func runSeen() {
        var watch = AccountWatch(witnesses: [witnesses[0], witnesses[1]])
        watch.sawRun(of: UUID())
        watch.sawRun(of: witnesses[1])
        // The look-up is made all the same: what it shows is the better evidence.
        #expect(watch.sawAbsence() == .hold(lookUp: witnesses[0]))
        #expect(watch.lookedUp(witnesses[0], .hidden) == .lookUp(witnesses[1]))
        #expect(watch.lookedUp(witnesses[1], .hidden) == .accept)
        #expect(watch.sawAbsence() == .accept)

        watch = AccountWatch(witnesses: [witnesses[0]])
        watch.sawRun(of: UUID())
        _ = watch.sawAbsence()
        #expect(watch.lookedUp(witnesses[0], .hidden) == .refuse(witnesses[0]))
    }

    @Test("Where no look-up is answered, nothing is known, and nothing is recorded")
    func unanswered() {
        var watch = AccountWatch(witnesses: [witnesses[0]])
        _ = watch.sawAbsence()
        #expect(watch.lookedUp(witnesses[0], .unknown) == .drop)
        #expect(watch.sawAbsence() == .drop)
    }

    @Test(
        "404, 410 and 403 speak of absence; what is stored already, and pages fetched again, lose nothing by them",
        arguments: Outcome.allCases)
    func absence(outcome: Outcome) {
        let item = RunItem(key: RunKey(storedActionID: UUID(), runID: UUID()), expiresAt: .distantFuture)
        var run = FetchedRun(item: item, verdict: Verdict(outcome: outcome, seenAlive: false), answeredAt: .distantPast)
        #expect(run.isAbsence == [.expired, .notFound, .forbidden].contains(outcome))
        run.item.isStored = true
        #expect(!run.isAbsence)
        run.item.isStored = false
        run.item.page = PageOfChain(root: item.key, submittedAt: .distantPast, isRefetch: true)
        #expect(!run.isAbsence)
    }
}
