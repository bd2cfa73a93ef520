import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("An answer that its chain waits for")
struct PageUrgencyTests {
    private let now = PagingFixture.now
    private let limits = BatchGate.Limits(bytes: 1_000_000, rows: 1_000, age: .milliseconds(200))

    private func answer(_ change: (inout RunItem) -> Void) -> FetchedRun {
        var item = RunItem(
            key: RunKey(storedActionID: PagingFixture.root.storedActionID, runID: PagingFixture.pageRunID),
            expiresAt: now)
        change(&item)
        return FetchedRun(item: item, verdict: Verdict(outcome: .success, seenAlive: true), answeredAt: now)
    }

    @Test("A page is committed at once, and so is a root whose pages are followed")
    func urgent() {
        let page = PageOfChain(root: PagingFixture.root, submittedAt: now)
        for run in [answer { $0.page = page }, answer { $0.followsPages = true }] {
            var gate = BatchGate(limits: limits)
            gate.gathered(run, at: now)
            #expect(gate.opens(at: now, expectsMore: true) == now)
        }
    }

    @Test("It takes those along that were gathered before it, and those behind it do not hold it up")
    func together() {
        var gate = BatchGate(limits: limits)
        gate.gathered(answer { _ in }, at: now)
        #expect(gate.opens(at: now, expectsMore: true) == now + 0.2)
        gate.gathered(answer { $0.followsPages = true }, at: now + 0.05)
        gate.gathered(answer { _ in }, at: now + 0.06)
        #expect(gate.opens(at: now + 0.06, expectsMore: true) == now + 0.06)
    }

    @Test("The next batch waits as ever")
    func nextBatch() {
        var batch = Batch(limits: limits)
        batch.add(answer { $0.followsPages = true }, at: now)
        _ = batch.take()
        batch.ended()
        #expect(batch.opens(at: now, expectsMore: true) == nil)
        batch.add(answer { _ in }, at: now + 1)
        #expect(batch.opens(at: now + 1, expectsMore: true) == now + 1.2)
    }

    @Test("A page belongs to its root's chain, a root to its own if its pages are followed, any other run to none")
    func chainRoot() {
        let page = answer { $0.page = PageOfChain(root: PagingFixture.root, submittedAt: now) }
        #expect(page.item.chainRoot == PagingFixture.root)
        let root = answer { $0.followsPages = true }
        #expect(root.item.chainRoot == root.item.key)
        #expect(answer { _ in }.item.chainRoot == nil)
    }
}
