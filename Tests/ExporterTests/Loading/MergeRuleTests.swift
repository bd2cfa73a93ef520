import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("What a new answer does to what is stored")
struct MergeRuleTests {
    @Test("A stored result survives every answer that is none", arguments: [Outcome.success, .error])
    func neverDowngraded(stored: Outcome) {
        for answer in Outcome.allCases where !answer.isStored {
            #expect(MergeRule(stored: stored, answer: answer, refetch: true) == .keep)
            #expect(MergeRule(stored: stored, answer: answer, refetch: false) == .alreadySettled)
        }
    }

    @Test(
        "A result is replaced by --refetch alone, and a success by an error never",
        arguments: [Outcome.success, .error])
    func refetch(stored: Outcome) {
        for answer in [Outcome.success, .error] {
            let loses = stored == .success && answer == .error
            #expect(MergeRule(stored: stored, answer: answer, refetch: true) == (loses ? .keep : .replace))
            #expect(MergeRule(stored: stored, answer: answer, refetch: false) == .alreadySettled)
        }
    }

    @Test("Where no result is stored the newest answer counts", arguments: [true, false])
    func newest(refetch: Bool) {
        for stored in Outcome.allCases where !stored.isStored {
            for answer in Outcome.allCases {
                let rule = MergeRule(stored: stored, answer: answer, refetch: refetch)
                #expect(rule == (answer.isStored ? .replace : .update))
            }
        }
    }
}

@Suite("When a batch is committed")
struct BatchGateTests {
    let now = Date(timeIntervalSince1970: 1_800_000_000)
    let limits = BatchGate.Limits(bytes: 1_000, rows: 3, age: .milliseconds(200))

    private func run() -> FetchedRun {
        FetchedRun(
            item: RunItem(key: RunKey(storedActionID: UUID(), runID: UUID()), expiresAt: now),
            verdict: Verdict(outcome: .pending, seenAlive: true), answeredAt: now)
    }

    @Test("Nothing gathered, nothing to commit")
    func empty() {
        #expect(BatchGate(limits: limits).opens(at: now, expectsMore: false) == nil)
    }

    @Test("The oldest answer waits no longer than its age allows")
    func age() {
        var gate = BatchGate(limits: limits)
        gate.gathered(run(), at: now)
        gate.gathered(run(), at: now + 0.1)
        #expect(gate.opens(at: now + 0.1, expectsMore: true) == now + 0.2)
    }

    @Test("Enough rows, and it is committed at once")
    func rows() {
        var gate = BatchGate(limits: limits)
        for _ in 0..<3 { gate.gathered(run(), at: now) }
        #expect(gate.opens(at: now, expectsMore: true) == now)
    }

    @Test("Enough bytes, and it is committed at once")
    func bytes() {
        var gate = BatchGate(limits: BatchGate.Limits(bytes: 300, rows: 100, age: .seconds(1)))
        gate.gathered(run(), at: now)
        #expect(gate.opens(at: now, expectsMore: true) == now + 1)
        gate.gathered(run(), at: now)
        #expect(gate.opens(at: now, expectsMore: true) == now)
    }

    @Test("Nobody else is coming, and it is committed at once")
    func alone() {
        var gate = BatchGate(limits: limits)
        gate.gathered(run(), at: now)
        #expect(gate.opens(at: now, expectsMore: false) == now)
    }
}
