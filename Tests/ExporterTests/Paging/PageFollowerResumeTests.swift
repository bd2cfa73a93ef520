import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("A chain taken up where it stands, and its pages stored")
struct PageFollowerResumeTests {
    private let now = PagingFixture.now

    private func polled() -> PageFollower {
        var follower = PageFollower(
            PagingFixture.chain { $0.attempt = PagingFixture.attempt() }, inputsHash: PagingFixture.inputsHash)
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .fetch(PagingFixture.item()))
        return follower
    }

    @Test("A request without a run whose export is over is in doubt, and not sent again")
    func inDoubt() {
        var follower = PageFollower(
            PagingFixture.chain {
                $0.attempt = PagingFixture.attempt(nil)
                $0.failedAttempts = 1
            }, inputsHash: PagingFixture.inputsHash)
        guard case .end(let end, failedAttempts: 1, _) = follower.begin(.found(actionType: "read_bulk"), at: now) else {
            Issue.record("the doubt is to be written down")
            return
        }
        #expect(end.reason == .submitUnknown)
        #expect(follower.slotTaken(intentID: PagingFixture.otherIntentID) == .finish)
    }

    @Test("A request without a run whose export lives is waited for; once that export is over it is in doubt")
    func inFlight() {
        let asking = PagingFixture.chain { $0.attempt = PagingFixture.attempt(nil, isInFlight: true) }
        var follower = PageFollower(asking, inputsHash: PagingFixture.inputsHash)
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .lookAgain(at: now + 1))
        #expect(follower.read(asking, at: now + 5) == .lookAgain(at: now + 6))
        guard
            case .end(let end, failedAttempts: 0, _) = follower.read(
                PagingFixture.chain { $0.attempt = PagingFixture.attempt(nil) }, at: now + 6)
        else {
            Issue.record("the doubt is to be written down")
            return
        }
        #expect(end.reason == .submitUnknown)
    }

    @Test("After a restore the next page is in doubt, one that is known is fetched, and the one behind it is in doubt")
    func restored() {
        let known = PagingFixture.chain {
            $0.restoredTo = now - 60
            $0.attempt = PagingFixture.attempt()
        }
        var follower = PageFollower(known, inputsHash: PagingFixture.inputsHash)
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .fetch(PagingFixture.item()))
        let next = PagingFixture.chain {
            $0.restoredTo = now - 60
            $0.pages = 2
            $0.cursor = "2"
        }
        let action = follower.stored(next, outcome: .success, at: now)
        guard case .end(let end, failedAttempts: 0, intentID: nil) = action else {
            Issue.record("the doubt is to be written down, not \(action)")
            return
        }
        #expect(end.reason == .submitUnknown)
        // The last page has nothing behind it.
        var ended = next
        ended.cursor = nil
        var last = PageFollower(ended, inputsHash: nil)
        #expect(last.begin(.found(actionType: "read_bulk"), at: now) == .end(ChainEnd(.lastPage), failedAttempts: 0))
    }

    @Test("A request that another export took back is free to be sent")
    func takenBack() {
        var follower = PageFollower(
            PagingFixture.chain { $0.attempt = PagingFixture.attempt(nil, isInFlight: true) },
            inputsHash: PagingFixture.inputsHash)
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .lookAgain(at: now + 1))
        #expect(follower.read(PagingFixture.chain(), at: now + 1) == .takeSlot(notBefore: nil))
        #expect(
            follower.slotTaken(intentID: PagingFixture.intentID)
                == .writeIntent(PagingFixture.submission()))
    }

    @Test("A page that was submitted is fetched, without inputs, without a look-up, by whatever export")
    func submitted() {
        let chain = PagingFixture.chain { $0.attempt = PagingFixture.attempt(askedAt: now - 3_600, seenAlive: true) }
        for inputsHash in [PagingFixture.inputsHash, PagingFixture.otherInputsHash, nil] {
            var follower = PageFollower(chain, inputsHash: inputsHash)
            #expect(
                follower.begin(nil, at: now) == .fetch(PagingFixture.item(askedAt: now - 3_600, seenAlive: true)))
        }
    }

    @Test("Behind such a page the chain stops where its inputs are needed")
    func submittedWithoutInputs() {
        var follower = PageFollower(
            PagingFixture.chain { $0.attempt = PagingFixture.attempt() }, inputsHash: nil)
        #expect(follower.begin(nil, at: now) == .fetch(PagingFixture.item()))
        guard
            case .leave(let left) = follower.stored(
                PagingFixture.chain { $0.pages = 2 }, outcome: .success, at: now)
        else {
            Issue.record("the chain is to be left")
            return
        }
        #expect(left.reason == .inputsMissing)
    }

    @Test("A stored page that ends its chain ends the follower", arguments: EndReason.allCases)
    func storedEnd(reason: EndReason) {
        var follower = polled()
        let ended = PagingFixture.chain {
            $0.pages = 2
            $0.end = ChainEnd(reason)
        }
        #expect(follower.stored(ended, outcome: .success, at: now) == .finish)
        #expect(follower.chain == ended)
    }

    @Test("A page that failed this time leaves its chain open")
    func failed() {
        var follower = polled()
        let chain = PagingFixture.chain { $0.attempt = PagingFixture.attempt(seenAlive: true) }
        guard case .leave(let left) = follower.stored(chain, outcome: .failed, at: now) else {
            Issue.record("the chain is to be left")
            return
        }
        #expect(left.reason == .pageFailed)
        #expect(left.detail.contains("page 1"))
    }

    @Test("A page that could not be had here, and that another export has stored, is behind the chain")
    func failedHereStoredElsewhere() {
        var follower = PageFollower(
            PagingFixture.chain { $0.attempt = PagingFixture.attempt() }, inputsHash: PagingFixture.inputsHash)
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .fetch(PagingFixture.item()))
        let stored = PagingFixture.chain {
            $0.pages = 2
            $0.end = ChainEnd(.lastPage)
        }
        #expect(follower.stored(stored, outcome: .failed, at: now) == .finish)
    }

    @Test("Of a chain whose root is not stored nothing follows")
    func unstoredRoot() {
        var follower = PageFollower(Chain(root: PagingFixture.root), inputsHash: [])
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .finish)
    }

    /// Brings the page to the partner's next refusal.
    private func throttle(_ follower: inout PageFollower, attempt: Int, page: Int = 1) -> PageFollower.Action {
        let asked = PagingFixture.chain {
            $0.pages = page
            $0.failedAttempts = attempt - 1
        }
        #expect(
            follower.slotTaken(intentID: PagingFixture.intentID) == .writeIntent(PagingFixture.submission(asked)))
        _ = follower.intended(nil, mayPost: true, at: now)
        _ = follower.posted(.started(runID: PagingFixture.pageRunID), at: now, random: 0)
        var recorded = asked
        recorded.attempt = PagingFixture.attempt()
        #expect(follower.recorded(recorded, at: now) == .fetch(PagingFixture.item()))
        return follower.stored(
            PagingFixture.chain {
                $0.pages = page
                $0.failedAttempts = attempt
                $0.resumeAt = now + 60
            }, outcome: .error, at: now)
    }

    @Test("A throttled page is asked for as a further attempt, not before its time; after ten the chain is left")
    func throttled() {
        var follower = PageFollower(PagingFixture.chain(), inputsHash: PagingFixture.inputsHash)
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .takeSlot(notBefore: nil))
        for attempt in 1...9 {
            #expect(throttle(&follower, attempt: attempt) == .suspend(until: now + 60))
        }
        guard case .leave(let left) = throttle(&follower, attempt: 10) else {
            Issue.record("the chain is to be left")
            return
        }
        #expect(left.reason == .throttled)
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .finish)
    }

    @Test("A page stored between begins the count of throttled attempts again")
    func throttledNow() {
        var follower = PageFollower(PagingFixture.chain(), inputsHash: PagingFixture.inputsHash)
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .takeSlot(notBefore: nil))
        for attempt in 1...9 {
            #expect(throttle(&follower, attempt: attempt) == .suspend(until: now + 60))
        }
        let next = PagingFixture.chain { $0.pages = 2 }
        #expect(follower.stored(next, outcome: .success, at: now) == .takeSlot(notBefore: nil))
        for attempt in 1...9 {
            #expect(throttle(&follower, attempt: attempt, page: 2) == .suspend(until: now + 60))
        }
    }

    @Test("An earlier export's throttled attempts count for nothing in this one")
    func throttledEarlier() {
        var follower = PageFollower(
            PagingFixture.chain {
                $0.failedAttempts = 50
                $0.resumeAt = now - 1
            }, inputsHash: PagingFixture.inputsHash)
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .takeSlot(notBefore: nil))
        #expect(throttle(&follower, attempt: 51) == .suspend(until: now + 60))
    }

    @Test("The reasons for leaving a chain are spelt as the tables spell them")
    func reasons() {
        #expect(
            ChainLeft.Reason.allCases.map(\.rawValue) == [
                "inputs_missing", "inputs_differ", "page_failed", "page_unfinished", "lookup_failed", "unavailable",
                "throttled",
            ])
    }
}
