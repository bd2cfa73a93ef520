import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

/// Ten runs are stored already: their stored action is the witness of whose token it is.
@Suite("Whose token it is, whole exports simulated")
struct AccountExportTests {
    private func world() -> World {
        var world = World(runs: 10)
        world.export()
        world.addRuns(10..<40, .notFound)
        return world
    }

    @Test("Runs that are not there are held until the witness has been looked up, and then count")
    func held() {
        var world = world()
        world.api.trouble = { request, count, _ in
            if case .lookUp = request, count <= 2 { .status(503) } else { nil }
        }
        world.export(endingBy: .finished)
        #expect(world.api.timesLookedUp(World.plain) == 3)
        #expect(world.database.outcomes == [.success: 10, .notFound: 30])
    }

    @Test("A token that does not see the witness is another account's: no run is marked")
    func otherAccount() {
        var world = world()
        world.api.actionTypes[World.plain] = nil
        world.export(endingBy: .otherAccount(World.plain))
        #expect(world.database.outcomes == [.success: 10, .queued: 30])
    }

    @Test("A look-up that gets no answer of use leaves those runs as they are, for the next export")
    func unanswered() {
        var world = world()
        world.api.trouble = { request, _, _ in if case .lookUp = request { .status(500) } else { nil } }
        let record = world.export()
        #expect(record.successfulEnding == .finished)
        #expect(record.logged("could not determine") == 1)
        #expect(world.database.outcomes == [.success: 10, .queued: 30])
        world.api.trouble = { _, _, _ in nil }
        world.export()
        #expect(world.database.outcomes == [.success: 10, .notFound: 30])
    }

    @Test("A time limit that cuts the look-up off leaves them as they are")
    func cutOff() {
        var world = world()
        world.api.trouble = { request, _, _ in if case .lookUp = request { .silence } else { nil } }
        world.export { $0.timeLimit = 5 }
        #expect(world.database.outcomes == [.success: 10, .queued: 30])
    }

    // MARK: Chains

    /// What the stored action is has been told to an earlier export.
    private func chain() -> World {
        var world = World(chains: 1)
        world.database.actionTypes[World.bulk] = "read_bulk"
        world.api.trouble = { request, count, _ in
            request.isPage && count == 1 ? .status(404, code: "not_found") : nil
        }
        return world
    }

    @Test("A POST that is answered with 404 ends its chain only after the witness has been looked up")
    func refusedPage() {
        var world = chain()
        world.export(endingBy: .finished)
        #expect(world.api.timesLookedUp(World.bulk) == 1)
        #expect(world.chain()?.end?.reason == .pageError)
    }

    @Test("With another account's token the chain stays as it is, and its intent is taken back")
    func refusedPageOfOthers() {
        var world = chain()
        world.api.actionTypes[World.bulk] = nil
        world.export(endingBy: .otherAccount(World.bulk))
        #expect(world.chain()?.end == nil)
        #expect(!world.hasIntents)
        world.api.actionTypes[World.bulk] = "read_bulk"
        world.export()
        world.expectComplete(starts: 2)
    }

    @Test("A stored action that the look-up of its chain does not show is another account's, if it has had results")
    func hiddenAction() {
        var world = World(chains: 1)
        world.api.actionTypes[World.bulk] = nil
        world.export(endingBy: .otherAccount(World.bulk))
        #expect(world.chain()?.end == nil)
        #expect(world.api.posts == 0)
    }
}
