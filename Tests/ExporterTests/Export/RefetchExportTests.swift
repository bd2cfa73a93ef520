import Foundation
import Testing

@testable import ExportCore

@Suite("--refetch, whole exports simulated")
struct RefetchExportTests {
    /// Everything is stored; then the clock moves on.
    private func world(windowOf limit: Int? = nil) -> World {
        var world = World(runs: 6, chains: 2)
        world.export()
        world.expectComplete(starts: 4)
        world.now += 3600
        if let limit { world.api.reads = RateWindowModel(limit: limit, length: 30) }
        return world
    }

    private func expectRefetched(_ world: World, sourceLocation: SourceLocation = #_sourceLocation) {
        world.expectComplete(starts: 4, sourceLocation: sourceLocation)
        for (key, run) in world.database.runs {
            #expect(run.storedBy.count == 2, "\(key.runID): \(run.storedBy)", sourceLocation: sourceLocation)
        }
    }

    @Test("Runs and stored pages are fetched again, each once, and no page is requested again")
    func all() {
        var world = world()
        world.export { $0.options.refetch = true }
        expectRefetched(world)
    }

    @Test("Without --refetch nothing is fetched that is stored")
    func none() {
        var world = world()
        #expect(world.export().tally.requestCount.total == 0)
    }

    @Test("Where the API no longer has a result, what is stored stays")
    func gone() {
        var world = world()
        world.api.trouble = { _, _, _ in .status(404) }
        let before = world.database.runs.mapValues(\.rows)
        world.export { $0.options.refetch = true }
        #expect(world.database.runs.mapValues(\.rows) == before)
        #expect(world.database.runs.values.allSatisfy { $0.outcome == .success && $0.storedBy.count == 1 })
    }

    @Test("One that a time limit ends is continued by the next, which fetches only what is left", arguments: 1...4)
    func continued(limit: Int) {
        var world = world(windowOf: limit)
        world.export {
            $0.options.refetch = true
            $0.timeLimit = 10
        }
        world.export {
            $0.options.refetch = true
            $0.timeLimit = nil
        }
        expectRefetched(world)
    }
}
