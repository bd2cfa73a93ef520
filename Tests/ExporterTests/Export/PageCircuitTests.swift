import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Both circuits, whole exports simulated")
struct PageCircuitTests {
    private static let opened = "circuit opened: the API fails for every request for a page"

    @Test("An API that fails for every request for a page is given up after two probes; runs go on")
    func givenUp() {
        var world = World(runs: 200, chains: 15, pages: 2)
        world.api.trouble = { request, _, _ in request.isPage ? .status(503) : nil }
        let record = world.export()
        #expect(record.successfulEnding == .finished)
        #expect(record.logged(Self.opened) == 1)
        #expect(record.logged("the API fails for all requests") == 0)
        #expect(world.api.posts == 12)
        #expect(world.database.outcomes == [.success: 215])
        #expect((0..<15).allSatisfy { world.leftBecause($0) == .unavailable })
        world.api.trouble = { _, _, _ in nil }
        world.export()
        world.expectComplete(starts: 15)
    }

    @Test("Failures that leave pages in doubt open it too: twelve pages are in doubt, and no more")
    func doubts() {
        var world = World(chains: 30)
        world.api.trouble = { request, _, _ in request.isPage ? .failedAfter : nil }
        world.export(endingBy: .finished) { $0.options.concurrency = 1 }
        #expect(world.database.chains.values.count { $0.end?.reason == .submitUnknown } == 12)
        #expect((0..<30).count { world.leftBecause($0) == .unavailable } == 18)
    }

    @Test("An API that is out of service for one chain's requests leaves it open after five of them")
    func fiveTries() {
        var world = World(chains: 1)
        world.api.trouble = { request, _, _ in request.isPage ? .status(503) : nil }
        world.export(endingBy: .finished)
        #expect(world.api.posts == 5)
        #expect(world.leftBecause() == .unavailable)
        #expect(!world.hasIntents)
    }

    @Test("One that comes back closes the circuit, and no chain is left")
    func closed() {
        var world = World(runs: 200, chains: 15, pages: 2)
        var failures = 0
        world.api.trouble = { request, _, _ in
            guard request.isPage, failures < 10 else { return nil }
            failures += 1
            return .status(503)
        }
        let record = world.export()
        #expect(record.successfulEnding == .finished)
        #expect(record.logged(Self.opened) == 1)
        #expect(record.logged("circuit closed") == 1)
        world.expectComplete(starts: 15)
    }

    @Test("An outage of the whole API costs no run and no page")
    func outage() {
        var world = World(runs: 2_000, chains: 6, pages: 4)
        let (begin, end) = (World.start + 1, World.start + 25)
        world.api.trouble = { _, _, now in (begin..<end).contains(now) ? .status(503) : nil }
        let record = world.export()
        #expect(record.successfulEnding == .finished)
        #expect(record.logged("the API fails for all requests") == 1)
        #expect(world.database.outcomes == [.success: 2_006])
        world.export()
        world.expectComplete(starts: 18)
    }

    @Test("While no connection can be made one request probes; afterwards all goes on, pages too")
    func notConnected() {
        var world = World(runs: 300, chains: 2, pages: 4)
        world.pace.latency = 1...1
        let (begin, end) = (World.start + 2, World.start + 25)
        world.api.trouble = { _, _, now in (begin..<end).contains(now) ? .notConnected : nil }
        let record = world.export()
        #expect(record.successfulEnding == .finished)
        #expect(record.logged("the API cannot be reached") == 1)
        #expect(record.logged("the API is reached again") == 1)
        world.expectComplete(starts: 6)
    }

    @Test("No server listens: the export ends within half a minute, and no intent is left")
    func unreachable() {
        var world = World(runs: 50, chains: 2)
        world.database.actionTypes[World.bulk] = "read_bulk"
        world.api.trouble = { _, _, _ in .notConnected }
        let record = world.export()
        #expect(record.successfulEnding == .apiUnreachable(.failed("connection refused")))
        #expect(record.seconds < 30)
        #expect(!world.hasIntents)
        world.api.trouble = { _, _, _ in nil }
        world.export()
        world.expectComplete(starts: 4)
    }

    @Test("Credentials that are refused end the export, and the intent of a page is taken back")
    func credentials() {
        var world = World(chains: 1)
        world.api.trouble = { request, _, _ in request.isPage ? .status(401) : nil }
        let record = world.export()
        guard case .credentialsRefused? = record.successfulEnding else {
            Issue.record("\(record)")
            return
        }
        #expect(!world.hasIntents)
        #expect(world.chain()?.end == nil)
        world.api.trouble = { _, _, _ in nil }
        world.export()
        world.expectComplete(starts: 2)
    }

    @Test("Without a token nothing leaves")
    func noToken() {
        var world = World(runs: 50, chains: 1)
        world.api.trouble = { _, _, _ in .noToken(.refused) }
        let record = world.export()
        #expect(record.successfulEnding == .credentialsRefused("no token"))
        #expect(world.api.requests == 0)
        #expect(world.database.outcomes == [.queued: 50, .success: 1])
    }
}
