import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Chains in whole exports, simulated")
struct ChainExportTests {
    @Test("A chain is followed to its last page: one look-up, one POST a page")
    func whole() {
        var world = World(runs: 20)
        world.addChain(pages: 4, isRootStored: false)
        world.export(endingBy: .finished)
        world.expectComplete(starts: 3)
        #expect(world.chain()?.end == ChainEnd(.lastPage))
        #expect(world.api.timesPosted(World.root()) == 3)
        #expect(world.api.timesLookedUp(World.bulk) == 1)
    }

    @Test("What a look-up told is remembered: the next export does not ask")
    func remembered() {
        var world = World(chains: 1)
        world.export()
        world.addChain(1, pages: 3)
        world.export()
        world.expectComplete(starts: 4)
        #expect(world.api.timesLookedUp(World.bulk) == 1)
    }

    @Test("Chains share one look-up, and when its tries are used up all of them wait for the next export")
    func lookUpFails() {
        var world = World(runs: 10, chains: 3)
        world.api.trouble = { request, _, _ in if case .lookUp = request { .status(500) } else { nil } }
        world.export(endingBy: .finished)
        #expect(world.api.timesLookedUp(World.bulk) == 5)
        #expect(world.api.posts == 0)
        #expect((0..<3).allSatisfy { world.leftBecause($0) == .lookUpFailed })
        #expect(world.database.outcomes[.success] == 13)
        world.api.trouble = { _, _, _ in nil }
        world.export()
        world.expectComplete(starts: 6)
    }

    @Test("A stored action that is not a bulk read is not run again")
    func refused() {
        var world = World(chains: 1)
        world.api.actionTypes[World.bulk] = "write"
        world.export()
        #expect(world.chain()?.end?.reason == .refused)
        #expect(world.api.posts == 0)
    }

    @Test(
        "A chain waits in its export without the inputs that it began with",
        arguments: [(nil, .inputsMissing), (PagingFixture.otherInputsHash, .inputsDiffer)]
            as [([UInt8]?, ChainLeft.Reason)])
    func inputs(hash: [UInt8]?, reason: ChainLeft.Reason) {
        var world = World(chains: 1)
        world.export { $0.inputsHash = hash }
        #expect(world.leftBecause() == reason)
        #expect(world.api.requests == 0)
        world.export()
        world.expectComplete(starts: 2)
    }

    // MARK: Waits

    @Test("A partner that throttles a page for less than --max-wait is waited for, and asked again in time")
    func suspended() {
        var world = World(chains: 1)
        world.api.lists[World.root()]?.throttledFor = .seconds(300)
        world.plan { ($0.pageNumber == 1 && $0.attempt == 1 ? .throttled : .success, 0) }
        let record = world.export()
        #expect(record.successfulEnding == .finished)
        world.expectComplete(starts: 3)
        #expect((300..<310).contains(record.seconds))
    }

    @Test("A partner that throttles a page for longer is left to the next export")
    func suspendedForLong() {
        var world = World(chains: 1)
        world.api.lists[World.root()]?.throttledFor = .seconds(1_000)
        world.plan { ($0.pageNumber == 1 && $0.attempt == 1 ? .throttled : .success, 0) }
        let record = world.export()
        #expect(record.successfulEnding == .finished)
        #expect(record.seconds < 5)
        #expect(world.chain()?.pages == 1 && world.chain()?.end == nil)
        world.now += 1_000
        world.export()
        world.expectComplete(starts: 3)
    }

    @Test("With --max-wait 0 a chain whose partner throttles it is left at once, with the reason")
    func suspendedWithoutWait() {
        var world = World(chains: 1)
        world.plan { ($0.attempt == 1 ? .throttled : .success, 0) }
        let record = world.export { $0.options.maxWait = .zero }
        #expect(record.seconds < 5)
        #expect(world.leftBecause() == .throttled)
    }

    @Test("A page that its partner throttles ten times in one export is left")
    func throttledAgainAndAgain() {
        var world = World(chains: 1)
        world.api.lists[World.root()]?.throttledFor = .seconds(1)
        world.plan { _ in (.throttled, 0) }
        world.export()
        #expect(world.leftBecause() == .throttled)
        #expect(world.api.timesPosted(World.root()) == 10)
    }

    @Test("A page that is not finished is polled until --max-wait is over, and the next export polls the same run")
    func polled() {
        var world = World(chains: 1, pages: 2)
        world.plan { _ in (.success, 8) }
        let record = world.export { $0.options.maxWait = .seconds(20) }
        #expect(record.successfulEnding == .finished)
        #expect((10...25).contains(record.seconds))
        #expect(world.chain()?.attempt?.runID != nil)
        world.export { $0.options.maxWait = .seconds(20) }
        world.expectComplete(starts: 1)
        #expect(world.api.timesPosted(World.root()) == 1)
    }

    @Test("A page that the API does not know yet is asked for again, and is not expired")
    func birth() {
        var world = World(chains: 1)
        world.api.birth = 10
        world.export()
        world.expectComplete(starts: 2)
        #expect(world.api.timesPosted(World.root()) == 2)
    }

    @Test("A spent window of starts holds up pages alone, and is not overdrawn")
    func windowOfStarts() {
        var world = World(runs: 100, chains: 1, pages: 5)
        world.api.starts = RateWindowModel(limit: 1, length: 30)
        world.api.reads = RateWindowModel(limit: 1_000, length: 30)
        let record = world.export()
        world.expectComplete(starts: 4)
        #expect((90..<100).contains(record.seconds))
        #expect(record.tally.rateLimited == 0)
    }

    @Test("--max-wait begins when nothing else is left to do, and a chain that advances is something to do")
    func waitBehindPages() {
        var world = World(chains: 1, pages: 12)
        world.pace.latency = 0.25...0.25
        world.plan { (.success, $0.pageNumber == 11 ? 1 : 0) }
        let record = world.export { $0.options.maxWait = .seconds(3) }
        #expect(record.successfulEnding == .finished)
        // The pages before the last one take longer than the wait.
        #expect(record.seconds > 5)
        world.expectComplete(starts: 11)
    }

    @Test("--max-wait begins again with each page: each may be pending for a while")
    func waitForEachPage() {
        var world = World(chains: 1, pages: 6)
        world.plan { _ in (.success, 3) }
        let record = world.export(endingBy: .finished) { $0.options.maxWait = .seconds(8) }
        #expect(record.seconds > 20)
        world.expectComplete(starts: 5)
    }

    // MARK: Pages that do not come

    @Test("A page that is an error of the partner's ends its chain and keeps the rows before it")
    func errorPage() {
        var world = World(chains: 1)
        world.plan { ($0.pageNumber == 2 && $0.attempt == 1 ? .error : .success, 0) }
        world.export(endingBy: .finished)
        #expect(world.chain()?.end?.reason == .pageError)
        #expect(world.database.rows(World.root()) == [0, 1, 10, 11])
        world.export { $0.options.retryFailedPages = true }
        world.expectComplete(starts: 3)
    }

    @Test("A page that stays 404 for a minute after its POST ends its chain as page_expired")
    func expiredPage() {
        var world = World(chains: 1)
        world.plan { _ in (.expired, 0) }
        let record = world.export(endingBy: .finished)
        #expect(world.chain()?.end?.reason == .pageExpired)
        #expect((60..<90).contains(record.seconds))
    }

    @Test("A page whose run cannot be fetched leaves its chain open, and the next export fetches that run")
    func failedPage() {
        var world = World(chains: 1)
        world.api.trouble = { request, _, _ in if case .run = request { .status(500) } else { nil } }
        world.export(endingBy: .finished)
        #expect(world.leftBecause() == .pageFailed)
        #expect(world.chain()?.end == nil)
        world.api.trouble = { _, _, _ in nil }
        world.export()
        world.expectComplete(starts: 2)
        #expect(world.api.timesPosted(World.root()) == 2)
    }

    // MARK: Time limits

    @Test("A chain that the time limit cuts off is resumed where it was")
    func resumed() throws {
        var world = World(chains: 1, pages: 6)
        world.pace.latency = 1...1
        let record = world.export { $0.timeLimit = 6 }
        guard case .timeLimit(comeBackAt: nil)? = record.successfulEnding else {
            Issue.record("\(record)")
            return
        }
        #expect(record.seconds < 9.5)
        let pages = try #require(world.chain()?.pages)
        #expect((2..<6).contains(pages))
        world.export()
        world.expectComplete(starts: 5)
        #expect(world.api.timesPosted(World.root()) == 5)
    }

    @Test("A wait for a partner beyond the time limit ends the export at once, which says when to come back")
    func waitBeyondTimeLimit() {
        var world = World(chains: 1)
        world.api.lists[World.root()]?.throttledFor = .seconds(300)
        world.plan { ($0.attempt == 1 ? .throttled : .success, 0) }
        let record = world.export { $0.timeLimit = 60 }
        guard case .timeLimit(let time?)? = record.successfulEnding else {
            Issue.record("\(record)")
            return
        }
        #expect(record.seconds < 5)
        #expect((295...305).contains(time.timeIntervalSince(World.start)))
        world.now += 300
        world.export()
        world.expectComplete(starts: 4)
    }
}
