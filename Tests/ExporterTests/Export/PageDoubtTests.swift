import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

/// A chain whose root is stored, at an API that takes two seconds for everything: the look-up is answered at 2 s, the
/// POST leaves then, is at the API at 2.6 s and answered at 4 s.
@Suite("Pages in doubt, whole exports simulated")
struct PageDoubtTests {
    private func world() -> World {
        var world = World(chains: 1)
        world.pace.latency = 2...2
        return world
    }

    private func expectDoubt(_ world: World, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(world.chain()?.end?.reason == .submitUnknown, sourceLocation: sourceLocation)
        #expect(world.api.posts == 1, sourceLocation: sourceLocation)
    }

    @Test(
        "The page of a killed export is in doubt: the next one ends the chain and asks for nothing",
        arguments: [2.3, 3])
    func killed(time: TimeInterval) {
        var world = world()
        let killed = world.export { $0.killedAfter = time }
        #expect(killed.ending == nil)
        #expect(world.api.started(World.root()).count == 1)
        world.export(endingBy: .finished)
        expectDoubt(world)
        world.export()
        expectDoubt(world)
        world.resolveDoubts()
        world.export()
        world.expectComplete(starts: 2)
    }

    @Test("So it is while the request is still on its way to the API")
    func overtaken() {
        var world = world()
        var (first, second) = (ExportPlan(), ExportPlan())
        first.killedAfter = 2.2
        second.startsAfter = 2.3
        world.export([first, second])
        expectDoubt(world)
        world.resolveDoubts()
        world.export()
        world.expectComplete(starts: 2)
    }

    @Test("An export killed after a run's ID was stored leaves nothing in doubt: the next one fetches that run")
    func killedAfterRecord() {
        var world = world()
        world.plan { _ in (.success, 3) }
        world.export { $0.killedAfter = 5 }
        #expect(world.chain()?.attempt?.runID != nil)
        world.export()
        world.expectComplete(starts: 2)
        #expect(world.api.timesPosted(World.root()) == 2)
    }

    @Test("An answer that comes soon after a signal is stored, and the page is fetched by the next export")
    func signal() {
        var world = world()
        let record = world.export { $0.signals = [ExportPlan.Signal(after: 2.5)] }
        #expect(record.successfulEnding == .interrupted(signal: 15))
        #expect((4..<4.2).contains(record.seconds))
        #expect(world.chain()?.attempt?.runID != nil && world.chain()?.end == nil)
        world.export()
        world.expectComplete(starts: 2)
    }

    @Test("A POST that is not answered 3.2 s after a signal is cut off and in doubt")
    func signalAndSilence() {
        var world = world()
        world.api.trouble = { request, _, _ in request.isPage ? .silence : nil }
        let record = world.export { $0.signals = [ExportPlan.Signal(after: 2.5)] }
        #expect(record.successfulEnding == .interrupted(signal: 15))
        #expect((5.6..<5.9).contains(record.seconds))
        expectDoubt(world)
    }

    @Test("So it is with a POST in flight at the time limit")
    func timeLimit() {
        var world = world()
        world.api.trouble = { request, _, _ in request.isPage ? .silence : nil }
        let record = world.export { $0.timeLimit = 2.5 }
        #expect(record.successfulEnding == .timeLimit(comeBackAt: nil))
        #expect((5.6..<5.9).contains(record.seconds))
        expectDoubt(world)
    }

    @Test("The first signal is the reason, whatever comes after it")
    func twoSignals() {
        var world = world()
        world.api.trouble = { _, _, _ in .silence }
        let signals = [ExportPlan.Signal(after: 1), ExportPlan.Signal(after: 1.4, number: 2)]
        let record = world.export { $0.signals = signals }
        #expect(record.successfulEnding == .interrupted(signal: 15))
        #expect((2.4..<2.7).contains(record.seconds))
        #expect(record.logged("signal 15") == 1 && record.logged("signal 2") == 1)
        #expect(world.api.posts == 0)
    }

    @Test("A database that is lost under a POST ends the export; what the POST started is not started again")
    func lostDatabase() {
        var world = world()
        let record = world.export { $0.databaseLostAfter = 3 }
        #expect(throws: WorldDatabase.Lost.self) { try record.ending?.get() }
        world.export()
        // The run's ID may have come through.
        world.resolveDoubts()
        world.export()
        world.expectComplete(starts: 2)
        #expect(world.api.timesPosted(World.root()) == 2)
    }

    @Test(
        "An answer that does not tell whether a run was started is in doubt, whether or not one was",
        arguments: [WorldAPI.Trouble.lostBefore, .lostAfter, .failedAfter, .silence, .oldRun, .status(500)])
    func lostAnswers(trouble: WorldAPI.Trouble) {
        var world = world()
        world.api.trouble = { request, count, _ in request.isPage && count == 1 ? trouble : nil }
        world.export(endingBy: .finished)
        expectDoubt(world)
        world.resolveDoubts()
        world.export()
        world.expectComplete(starts: 2)
    }

    @Test(
        "A POST that surely started nothing leaves again, in the same attempt",
        arguments: [WorldAPI.Trouble.notConnected, .status(503), .status(429, retryAfter: 3)])
    func sentAgain(trouble: WorldAPI.Trouble) {
        var world = world()
        world.api.trouble = { request, count, _ in request.isPage && count == 1 ? trouble : nil }
        world.export(endingBy: .finished)
        world.expectComplete(starts: 2)
        #expect(world.api.timesPosted(World.root()) == 3)
        #expect(world.chain()?.failedAttempts == 0)
    }

    @Test("A POST that is refused ends the chain, and --retry-failed-pages makes a further attempt")
    func refused() {
        var world = world()
        world.api.trouble = { request, count, _ in request.isPage && count == 1 ? .status(422) : nil }
        world.export()
        #expect(world.chain()?.end?.reason == .pageError)
        world.export()
        #expect(world.api.posts == 1)
        world.export { $0.options.retryFailedPages = true }
        world.expectComplete(starts: 2)
    }
}
