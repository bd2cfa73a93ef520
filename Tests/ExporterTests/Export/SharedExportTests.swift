import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

/// Exports of two manifests that have the same runs and chains.
@Suite("Two exports at one chain, simulated")
struct SharedExportTests {
    /// The first export's look-up is answered at 10 s, its POST leaves then and is answered at 20 s.
    private func world() -> World {
        var world = World(chains: 1)
        world.share()
        world.pace.latency = 10...10
        return world
    }

    private var second: ExportPlan {
        var plan = ExportPlan(manifest: 1)
        plan.startsAfter = 1
        return plan
    }

    @Test("The second waits for the first one's request and goes on behind it: no page is asked for twice")
    func together() {
        var world = world()
        let records = world.export([ExportPlan(), second])
        #expect(records.map(\.successfulEnding) == [.finished, .finished])
        world.expectComplete(starts: 2)
        #expect(world.api.posts == 2)
        #expect(records.reduce(0) { $0 + $1.tally.pages } == 2)
    }

    @Test("With --max-wait 0 it leaves the chain to the first one")
    func withoutWait() {
        var world = world()
        var second = second
        second.options.maxWait = .zero
        world.export([ExportPlan(), second])
        #expect(world.leftBecause() == .pageUnfinished)
        world.expectComplete(starts: 2)
    }

    @Test("When the first one dies under its POST, the second ends the chain in doubt")
    func death() {
        var world = world()
        var first = ExportPlan()
        first.killedAfter = 15
        world.export([first, second])
        #expect(world.chain()?.end?.reason == .submitUnknown)
        #expect(world.api.posts == 1)
        world.resolveDoubts()
        world.export()
        world.expectComplete(starts: 2)
    }

    @Test("An export that loses its lock for a moment still records what its POST started, and the chain goes on")
    func lostLock() {
        var world = world()
        var first = ExportPlan()
        first.lockLostAfter = 15
        world.export([first, second])
        #expect(world.chain()?.end?.reason != .submitUnknown)
        world.export()
        world.expectComplete(starts: 2)
        #expect(world.api.posts == 2)
    }

    @Test("Runs of both manifests are stored once")
    func runs() {
        var world = World(runs: 200)
        world.share()
        let records = world.export([ExportPlan(), ExportPlan(manifest: 1)])
        #expect(records.map(\.successfulEnding) == [.finished, .finished])
        world.expectComplete(starts: 0)
        #expect(records.reduce(0) { $0 + $1.tally.results } == 200)
    }
}
