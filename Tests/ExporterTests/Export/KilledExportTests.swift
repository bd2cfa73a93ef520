import Foundation
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Exports of which any step may be the last, simulated")
struct KilledExportTests {
    /// A chain that meets what there is: a POST that is sent again, a page that its partner throttles, polls.
    private func world() -> World {
        var world = World(runs: 2)
        world.addChain(pages: 4, isRootStored: false)
        world.plan { ($0.pageNumber == 2 && $0.attempt == 1 ? .throttled : .success, 1) }
        world.api.trouble = { request, count, _ in request.isPage && count == 1 ? .status(503) : nil }
        return world
    }

    @Test(
        "Killed before any of its steps, alone or beside another: nothing is lost or doubled, and no page is started twice",
        arguments: [false, true])
    func anywhere(isShared: Bool) {
        var killedBefore: Set<String> = []
        var step = 0
        while step < 1_000 {
            step += 1
            var world = world()
            var plans = [ExportPlan()]
            plans[0].killedAtStep = step
            if isShared {
                world.share()
                plans.append(ExportPlan(manifest: 1))
                plans[1].startsAfter = 0.15
            }
            let outlived = world.export(plans)[0].ending != nil
            for _ in 0..<6 where !world.isComplete {
                world.resolveDoubts()
                world.export()
            }
            world.expectComplete(starts: 4)
            killedBefore.formUnion(world.played.killedBefore)
            if outlived || !world.faults.isEmpty || !world.isComplete {
                #expect(outlived, "killed before step \(step): \(world.played.killedBefore)")
                break
            }
        }
        #expect((40..<1_000).contains(step))
        guard !isShared else { return }
        let statements = ["open", "read", "commit", "remember", "intent", "withdrawal", "record"].map {
            "statement \($0)"
        }
        let arrivals = ["run", "lookUp", "page"].map { "arrival of \($0)" }
        let events = [
            "opened", "queueRead", "fetched", "lookedUp", "posted", "committed", "remembered", "intended",
            "withdrawn", "recorded", "woke",
        ].map { "event \($0)" }
        #expect(killedBefore.isSuperset(of: statements + arrivals + events), "\(killedBefore)")
    }

    @Test("Where no export is killed, a chain is in doubt only after a POST whose answer tells no new run")
    func nothingKilled() {
        var (doubts, lost) = (0, 0)
        for seed in 1...60 as ClosedRange<UInt64> {
            var world = World(chains: 2, pages: 5)
            world.random = SplitMix(state: seed)
            var chance = SplitMix(state: seed)
            world.api.trouble = { request, _, _ in
                guard request.isPage else { return nil }
                switch chance.unit() {
                case ..<0.12: return .status(503)
                case ..<0.2: return .notConnected
                case ..<0.25: return .status(422)
                case ..<0.35:
                    lost += 1
                    return [.lostBefore, .lostAfter, .failedAfter, .silence, .oldRun].randomElement(using: &chance)
                default: return nil
                }
            }
            for _ in 0..<40 where !world.isComplete {
                world.export { $0.options.retryFailedPages = true }
                doubts += world.database.chains.values.count { $0.end?.reason == .submitUnknown }
                world.resolveDoubts()
            }
            world.expectComplete(starts: 8)
        }
        #expect(lost > 30)
        #expect(doubts == lost)
    }
}
