import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("A chain's next page: from the POST to the record of its run")
struct PageFollowerSubmitTests {
    private let now = PagingFixture.now
    private let submission = PagingFixture.submission()

    /// A follower whose intent is committed.
    private func submitting(_ chain: Chain = PagingFixture.chain()) -> PageFollower {
        var follower = PageFollower(chain, inputsHash: PagingFixture.inputsHash)
        _ = follower.begin(.found(actionType: "read_bulk"), at: now)
        _ = follower.slotTaken(intentID: PagingFixture.intentID)
        #expect(
            follower.intended(nil, mayPost: true, at: now) == .post(PagingFixture.submission(chain)))
        return follower
    }

    /// Has another slot and another intent, as after one that was taken back.
    private func submitAgain(_ follower: inout PageFollower) {
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .writeIntent(submission))
        #expect(follower.intended(nil, mayPost: true, at: now) == .post(submission))
    }

    private func end(_ action: PageFollower.Action) -> (end: ChainEnd, failedAttempts: Int)? {
        guard case .end(let end, let failedAttempts, _) = action else { return nil }
        return (end, failedAttempts)
    }

    @Test("A run that was started is recorded under its submission")
    func started() {
        var follower = submitting()
        #expect(
            follower.posted(.started(runID: PagingFixture.pageRunID), at: now, random: 0)
                == .record(submission, runID: PagingFixture.pageRunID))
    }

    @Test("A request that may have started a run puts the chain in doubt, and is never sent again")
    func inDoubt() throws {
        var follower = submitting(PagingFixture.chain { $0.failedAttempts = 2 })
        let ended = try #require(end(follower.posted(.inDoubt("the answer was lost"), at: now, random: 0)))
        #expect(ended.end.reason == .submitUnknown)
        #expect(ended.end.detail?.contains("page 1") == true)
        #expect(ended.end.detail?.contains("the answer was lost") == true)
        // The attempt stays the one that is under way: its intent is what is in doubt.
        #expect(ended.failedAttempts == 2)
        #expect(follower.slotTaken(intentID: PagingFixture.otherIntentID) == .finish)
        #expect(follower.withdrawn() == .finish)
    }

    @Test("A refused request ends the chain, and its attempt has failed")
    func refused() throws {
        var follower = submitting(PagingFixture.chain { $0.failedAttempts = 2 })
        let ended = try #require(end(follower.posted(.refused("422: no such list"), at: now, random: 0)))
        #expect(ended.end.reason == .pageError)
        #expect(ended.end.detail?.contains("422: no such list") == true)
        #expect(ended.failedAttempts == 3)
    }

    @Test("429: the intent is taken back, and the page asked for again as soon as there is a slot, however often")
    func throttled() {
        var follower = submitting()
        for _ in 0..<100 {
            #expect(follower.posted(.throttled, at: now, random: 0) == .withdraw(submission))
            #expect(follower.withdrawn() == .takeSlot(notBefore: nil))
            submitAgain(&follower)
        }
    }

    @Test("No connection: the intent is taken back, and the page asked for again at the announced time, however often")
    func notSent() {
        var follower = submitting()
        for tries in 1...100 {
            let time = now + Double(tries)
            #expect(follower.posted(.notSent(notBefore: time), at: now, random: 0) == .withdraw(submission))
            #expect(follower.withdrawn() == .takeSlot(notBefore: time))
            submitAgain(&follower)
        }
    }

    @Test(
        "503: the intent is taken back, and the page asked for anew after growing gaps; after five tries the chain is left"
    )
    func unavailable() {
        var follower = submitting()
        for gap in [0.25, 0.5, 1, 2] {
            #expect(follower.posted(.unavailable(retryAfter: nil), at: now, random: 0) == .withdraw(submission))
            #expect(follower.withdrawn() == .takeSlot(notBefore: now + gap))
            submitAgain(&follower)
        }
        #expect(follower.posted(.unavailable(retryAfter: nil), at: now, random: 0) == .withdraw(submission))
        guard case .leave(let left) = follower.withdrawn() else {
            Issue.record("the chain is to be left")
            return
        }
        #expect(left.reason == .unavailable)
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .finish)
    }

    @Test("503 with Retry-After: not before that time")
    func retryAfter() {
        var follower = submitting()
        #expect(
            follower.posted(.unavailable(retryAfter: .seconds(90)), at: now, random: 0) == .withdraw(submission))
        #expect(follower.withdrawn() == .takeSlot(notBefore: now + 90))
    }

    @Test("429 and no connection use up none of the tries that 503 has")
    func onlyUnavailableCounts() {
        var follower = submitting()
        for outcome: SubmitOutcome in [.unavailable(retryAfter: nil), .throttled, .notSent(notBefore: now)] {
            for _ in 0..<(outcome == .unavailable(retryAfter: nil) ? 4 : 10) {
                #expect(follower.posted(outcome, at: now, random: 0) == .withdraw(submission))
                guard case .takeSlot = follower.withdrawn() else {
                    Issue.record("\(outcome) is to be tried again")
                    return
                }
                submitAgain(&follower)
            }
        }
    }

    @Test("The tries are each page's own")
    func triesOfEachPage() {
        var follower = submitting()
        for page in 1...3 {
            let chain = PagingFixture.chain {
                $0.pages = page
                $0.cursor = "\(page)"
            }
            let submission = PagingFixture.submission(chain)
            for _ in 0..<4 {
                #expect(follower.posted(.unavailable(retryAfter: nil), at: now, random: 0) == .withdraw(submission))
                guard case .takeSlot = follower.withdrawn() else {
                    Issue.record("page \(page) is to be tried again")
                    return
                }
                _ = follower.slotTaken(intentID: PagingFixture.intentID)
                #expect(follower.intended(nil, mayPost: true, at: now) == .post(submission))
            }
            _ = follower.posted(.started(runID: PagingFixture.pageRunID), at: now, random: 0)
            var next = chain
            next.attempt = PagingFixture.attempt()
            #expect(follower.recorded(next, at: now) == .fetch(PagingFixture.item()))
            next.attempt = nil
            next.pages += 1
            next.cursor = "\(page + 1)"
            #expect(follower.stored(next, outcome: .success, at: now) == .takeSlot(notBefore: nil))
            #expect(
                follower.slotTaken(intentID: PagingFixture.intentID) == .writeIntent(PagingFixture.submission(next)))
            #expect(follower.intended(nil, mayPost: true, at: now) == .post(PagingFixture.submission(next)))
        }
    }

    @Test("Where the export is ending, or the credentials were refused, the intent is taken back and nothing follows")
    func stopped() {
        var follower = submitting()
        #expect(follower.posted(.stopped, at: now, random: 0) == .withdraw(submission))
        #expect(follower.withdrawn() == .finish)
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .finish)
    }

    @Test("A recorded run is fetched as a page of its chain, which expires seven days after its POST")
    func recorded() {
        var follower = submitting()
        _ = follower.posted(.started(runID: PagingFixture.pageRunID), at: now, random: 0)
        let chain = PagingFixture.chain { $0.attempt = PagingFixture.attempt(askedAt: now + 3) }
        let action = follower.recorded(chain, at: now + 5)
        guard case .fetch(let item) = action else {
            Issue.record("the run is to be fetched")
            return
        }
        #expect(item == PagingFixture.item(askedAt: now + 3))
        #expect(item.executedAt == nil)
        #expect(item.chainRoot == PagingFixture.root)
    }

    @Test("A run that the chain has had already is no new page: whether one was started is in doubt")
    func runOfOld() throws {
        var follower = submitting(PagingFixture.chain { $0.failedAttempts = 1 })
        _ = follower.posted(.started(runID: PagingFixture.root.runID), at: now, random: 0)
        let ended = try #require(end(follower.recorded(nil, at: now)))
        #expect(ended.end.reason == .submitUnknown)
        #expect(ended.failedAttempts == 1)
    }

    @Test("An event that does not belong to the state ends the follower, and never sends a thing")
    func strayEvents() {
        let events: [(inout PageFollower) -> PageFollower.Action] = [
            { $0.slotTaken(intentID: PagingFixture.intentID) },
            { $0.intended(nil, mayPost: true, at: PagingFixture.now) },
            { $0.posted(.started(runID: PagingFixture.pageRunID), at: PagingFixture.now, random: 0) },
            { $0.withdrawn() },
            { $0.recorded(nil, at: PagingFixture.now) },
        ]
        for event in events {
            var asked = PageFollower(PagingFixture.chain(), inputsHash: PagingFixture.inputsHash)
            #expect(event(&asked) == .finish)
        }
        // Told twice, as by a caller that is confused.
        var follower = submitting()
        #expect(follower.intended(nil, mayPost: true, at: now) == .finish)
        #expect(follower.posted(.throttled, at: now, random: 0) == .finish)
    }
}
