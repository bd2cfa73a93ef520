import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Chains of which any step may be the last of its export")
struct FollowerPropertyTests {
    /// Follows chains, one after the other, until there are so many pages.
    private func follow(pages: Int, seed: UInt64, exportsAtOnce: Int, killing: Double = 0.02) -> ModelWorld.Count {
        var random = SplitMix(state: seed)
        var count = ModelWorld.Count()
        while count.pages < pages {
            var world = ModelWorld(random, killing: killing, exportsAtOnce: exportsAtOnce, count: count)
            random = world.run()
            count = world.count
            if !world.faults.isEmpty {
                Issue.record("seed \(seed): \(world.faults.joined(separator: "; "))")
                return count
            }
        }
        return count
    }

    @Test(
        "No cursor is started twice in one attempt, no POST leaves without its intent or in doubt, no page is lost or doubled, and every chain ends",
        arguments: 1...20 as ClosedRange<UInt64>, 1...2)
    func pages(seed: UInt64, exportsAtOnce: Int) {
        let count = follow(pages: 300, seed: seed, exportsAtOnce: exportsAtOnce)
        #expect(count.pages >= 300)
        #expect(count.posts > 300)
        // Without these the promises would be easy to keep.
        #expect(count.kills > 30)
        #expect(count.doubts > 10)
        if exportsAtOnce > 1 { #expect(count.waits > 5) }
    }

    @Test("Where no export is killed, a chain is in doubt only after a POST whose answer tells no new run")
    func nothingKilled() {
        let count = follow(pages: 1_000, seed: 0, exportsAtOnce: 1, killing: 0)
        #expect(count.kills == 0)
        #expect(count.lost > 10)
        #expect(count.doubts == count.lost)
    }

    @Test("Each step is one at which exports were killed, before it was done and after")
    func killedEverywhere() {
        let count = follow(pages: 3_000, seed: 0, exportsAtOnce: 2, killing: 0.1)
        let before = [
            "lookUp", "takeSlot", "suspend", "writeIntent", "post", "record", "withdraw", "fetch", "lookAgain", "end",
            "leave",
            "finish",
        ]
        let after = [
            "lookedUp", "slotTaken", "intended", "posted", "recorded", "withdrawn", "polled", "stored", "read", "done",
        ]
        #expect(count.killedAt == Set(before.map { "before \($0)" } + after.map { "after \($0)" }))
    }
}
