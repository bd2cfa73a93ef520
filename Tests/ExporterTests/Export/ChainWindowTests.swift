import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

/// Each bucket has its own window: of ten minutes here, longer than the exports' time limit.
@Suite("Windows of chains, whole exports simulated")
struct ChainWindowTests {
    private func plan(share: Double = 1) -> (inout ExportPlan) -> Void {
        { plan in
            plan.options.budgetShare = share
            plan.timeLimit = 500
        }
    }

    private func expectTimeLimit(_ record: WorldExport.Record, sourceLocation: SourceLocation = #_sourceLocation) {
        guard case .timeLimit(let time?)? = record.successfulEnding else {
            Issue.record("\(record)", sourceLocation: sourceLocation)
            return
        }
        #expect((600..<610).contains(time.timeIntervalSince(World.start)), sourceLocation: sourceLocation)
        #expect(record.seconds < 60, sourceLocation: sourceLocation)
        #expect(record.tally.rateLimited == 0, sourceLocation: sourceLocation)
    }

    @Test("Starts that are spent hold up no read")
    func starts() {
        var world = World(runs: 100, chains: 2, pages: 5)
        world.api.starts = RateWindowModel(limit: 3, length: 600)
        expectTimeLimit(world.export(plan()))
        #expect(world.database.outcomes == [.success: 102])
        #expect(world.api.posts == 3)
    }

    @Test("Reads that are spent hold up no start")
    func reads() {
        var world = World(chains: 3, pages: 9)
        world.api.reads = RateWindowModel(limit: 9, length: 600)
        expectTimeLimit(world.export(plan()))
        #expect(world.api.requests - world.api.posts == 9)
        // The look-up and eight pages were read: with the roots, eleven cursors.
        #expect(world.api.posts == 11)
    }

    @Test("--budget-share leaves its part of the starts to others")
    func share() {
        var world = World(chains: 4, pages: 9)
        world.api.starts = RateWindowModel(limit: 20, length: 600)
        expectTimeLimit(world.export(plan(share: 0.5)))
        #expect(world.api.posts == 10)
    }

    @Test("Chains advance side by side, within --concurrency")
    func together() {
        var world = World(chains: 8, pages: 5)
        let record = world.export { $0.options.concurrency = 8 }
        #expect((4...8).contains(record.mostInFlight))
        world.expectComplete(starts: 32)
    }
}
