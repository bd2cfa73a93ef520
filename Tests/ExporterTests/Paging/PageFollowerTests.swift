import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("A chain's next page: from the chain to the intent")
struct PageFollowerTests {
    private let now = PagingFixture.now
    private let chain = PagingFixture.chain()

    private func follower(_ chain: Chain = PagingFixture.chain()) -> PageFollower {
        PageFollower(chain, inputsHash: PagingFixture.inputsHash)
    }

    /// - Returns: the reason, if the action is to leave the chain.
    private func reasonOfLeaving(_ action: PageFollower.Action) -> ChainLeft.Reason? {
        guard case .leave(let left) = action else { return nil }
        return left.reason
    }

    @Test("A page from the look-up to the next page: one slot, one intent, one POST, one record, one fetch")
    func wholePage() {
        var follower = follower()
        let submission = PagingFixture.submission()
        #expect(follower.begin(nil, at: now) == .lookUp)
        #expect(follower.lookedUp(.found(actionType: "read_bulk"), at: now) == .takeSlot(notBefore: nil))
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .writeIntent(submission))
        #expect(follower.intended(nil, mayPost: true, at: now) == .post(submission))
        #expect(
            follower.posted(.started(runID: PagingFixture.pageRunID), at: now, random: 0)
                == .record(submission, runID: PagingFixture.pageRunID))
        let recorded = PagingFixture.chain { $0.attempt = PagingFixture.attempt() }
        #expect(follower.recorded(recorded, at: now) == .fetch(PagingFixture.item()))
        let stored = PagingFixture.chain {
            $0.pages = 2
            $0.cursor = "2"
        }
        #expect(follower.stored(stored, outcome: .success, at: now) == .takeSlot(notBefore: nil))
        #expect(follower.chain == stored)
        #expect(
            follower.slotTaken(intentID: PagingFixture.otherIntentID)
                == .writeIntent(PagingFixture.submission(stored, intentID: PagingFixture.otherIntentID)))
    }

    @Test("A page is asked for by its place, its cursor as it stands, and the number of its attempt")
    func submission() {
        var follower = follower(
            PagingFixture.chain {
                $0.pages = 17
                $0.cursor = "007 é\n"
                $0.failedAttempts = 3
            })
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .takeSlot(notBefore: nil))
        #expect(
            follower.slotTaken(intentID: PagingFixture.intentID)
                == .writeIntent(
                    PageFollower.Submission(
                        root: PagingFixture.root, pageNumber: 17, cursor: "007 é\n", attempt: 4,
                        intentID: PagingFixture.intentID, inputsHash: PagingFixture.inputsHash)))
    }

    @Test("A stored action that is known is not looked up again, for no page of the chain")
    func lookedUpOnce() {
        var follower = follower()
        #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .takeSlot(notBefore: nil))
        #expect(
            follower.stored(PagingFixture.chain { $0.pages = 2 }, outcome: .success, at: now)
                == .takeSlot(notBefore: nil))
    }

    @Test(
        "What is no bulk read is refused without one POST, looked up just now or known before",
        arguments: [
            (ActionDescription.found(actionType: "write"), "read_bulk"), (.found(actionType: "read"), nil),
            (.found(actionType: nil), "read_bulk"),
            (.found(actionType: "search_or_write"), "search_or_write"), (.withheld(status: 403), nil),
            (.withheld(status: 404), "write"),
        ] as [(ActionDescription, String?)])
    func refused(description: ActionDescription, manifest: String?) {
        let chain = PagingFixture.chain {
            $0.actionType = manifest
            $0.failedAttempts = 2
        }
        var (asks, knows) = (follower(chain), follower(chain))
        #expect(asks.begin(nil, at: now) == .lookUp)
        for action in [asks.lookedUp(description, at: now), knows.begin(description, at: now)] {
            guard case .end(let end, let failedAttempts, _) = action else {
                Issue.record("\(action) is no end")
                return
            }
            #expect(end.reason == .refused)
            #expect(end.detail?.isEmpty == false)
            // No attempt was made.
            #expect(failedAttempts == 2)
        }
    }

    @Test("Where the API does not show the action the manifest's word is enough", arguments: [403, 404])
    func manifestDecides(status: Int) {
        var follower = follower(PagingFixture.chain { $0.actionType = "read" })
        #expect(follower.begin(nil, at: now) == .lookUp)
        #expect(follower.lookedUp(.withheld(status: status), at: now) == .takeSlot(notBefore: nil))
    }

    @Test("A look-up that cannot be fetched leaves the chain open, without one POST")
    func lookUpFailed() {
        var follower = follower()
        #expect(follower.begin(nil, at: now) == .lookUp)
        #expect(reasonOfLeaving(follower.lookedUp(nil, at: now)) == .lookUpFailed)
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .finish)
    }

    @Test("Without the chain's inputs no page is asked for, nor is the action looked up")
    func inputsMissing() {
        var follower = PageFollower(chain, inputsHash: nil)
        #expect(reasonOfLeaving(follower.begin(nil, at: now)) == .inputsMissing)
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .finish)
    }

    @Test("Inputs that are not those the chain began with are never sent")
    func inputsDiffer() {
        var follower = PageFollower(chain, inputsHash: PagingFixture.otherInputsHash)
        #expect(reasonOfLeaving(follower.begin(.found(actionType: "read_bulk"), at: now)) == .inputsDiffer)
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .finish)
    }

    @Test("A chain that another export gave other inputs meanwhile is left")
    func inputsDifferMeanwhile() {
        var follower = follower()
        _ = follower.begin(.found(actionType: "read_bulk"), at: now)
        _ = follower.slotTaken(intentID: PagingFixture.intentID)
        let other = PagingFixture.chain { $0.inputsHash = PagingFixture.otherInputsHash }
        #expect(reasonOfLeaving(follower.intended(other, mayPost: true, at: now)) == .inputsDiffer)
    }

    @Test("A chain with an end is left alone", arguments: EndReason.allCases)
    func ended(reason: EndReason) {
        for attempt in [nil, PagingFixture.attempt(nil), PagingFixture.attempt()] {
            var follower = follower(
                PagingFixture.chain {
                    $0.end = ChainEnd(reason)
                    $0.attempt = attempt
                })
            #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == .finish)
            #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .finish)
        }
    }

    @Test(
        "A chain whose stored pages are its end is ended, whatever inputs there are",
        arguments: [
            (PagingFixture.chain { $0.cursor = nil }, EndReason.lastPage),
            (PagingFixture.chain { $0.emptyPages = 2 }, .emptyPages),
            (PagingFixture.chain { $0.isCursorUsed = true }, .repeatedCursor),
            (PagingFixture.chain { $0.maxPages = 1 }, .maxPages),
        ])
    func endInStoredPages(chain: Chain, reason: EndReason) {
        for inputsHash in [PagingFixture.inputsHash, PagingFixture.otherInputsHash, nil] {
            var follower = PageFollower(chain, inputsHash: inputsHash)
            guard case .end(let end, failedAttempts: 0, _) = follower.begin(nil, at: now) else {
                Issue.record("\(reason) is to be written down")
                return
            }
            #expect(end.reason == reason)
        }
    }

    @Test("A page that its partner throttled is not asked for before its time")
    func suspended() {
        let expected: [(Double, PageFollower.Action)] = [
            (60, .suspend(until: now + 60)), (0, .takeSlot(notBefore: nil)), (-60, .takeSlot(notBefore: nil)),
        ]
        for (wait, action) in expected {
            var follower = follower(
                PagingFixture.chain {
                    $0.failedAttempts = 1
                    $0.resumeAt = now + wait
                })
            #expect(follower.begin(.found(actionType: "read_bulk"), at: now) == action)
        }
    }

    @Test("Where another export has stored the page meanwhile the chain goes on behind it")
    func otherExportIsAhead() {
        var follower = follower()
        _ = follower.begin(.found(actionType: "read_bulk"), at: now)
        _ = follower.slotTaken(intentID: PagingFixture.intentID)
        let ahead = PagingFixture.chain {
            $0.pages = 3
            $0.cursor = "3"
        }
        #expect(follower.intended(ahead, mayPost: true, at: now) == .takeSlot(notBefore: nil))
        #expect(follower.slotTaken(intentID: PagingFixture.intentID) == .writeIntent(PagingFixture.submission(ahead)))
    }

    @Test("Where another export is asking for the page this one waits and looks again, and never asks itself")
    func otherExportAsks() {
        var follower = follower()
        _ = follower.begin(.found(actionType: "read_bulk"), at: now)
        _ = follower.slotTaken(intentID: PagingFixture.intentID)
        let asking = PagingFixture.chain { $0.attempt = PagingFixture.attempt(nil, isInFlight: true) }
        #expect(follower.intended(asking, mayPost: true, at: now) == .lookAgain(at: now + 1))
        #expect(follower.read(asking, at: now + 1) == .lookAgain(at: now + 2))
        let asked = PagingFixture.chain { $0.attempt = PagingFixture.attempt() }
        #expect(follower.read(asked, at: now + 2) == .fetch(PagingFixture.item()))
    }

    @Test("Where another export has ended the chain there is nothing left to do")
    func otherExportEnded() {
        var follower = follower()
        _ = follower.begin(.found(actionType: "read_bulk"), at: now)
        _ = follower.slotTaken(intentID: PagingFixture.intentID)
        #expect(
            follower.intended(PagingFixture.chain { $0.end = ChainEnd(.pageError) }, mayPost: true, at: now) == .finish)
    }

    @Test("An export that ends while the intent is written takes it back, and sends nothing")
    func mayNotPost() {
        var follower = follower()
        _ = follower.begin(.found(actionType: "read_bulk"), at: now)
        _ = follower.slotTaken(intentID: PagingFixture.intentID)
        #expect(
            follower.intended(nil, mayPost: false, at: now) == .withdraw(PagingFixture.submission()))
        #expect(follower.withdrawn() == .finish)
    }
}
