import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

/// Small worlds for tests that each show one thing.
extension World {
    static let plain = SeededWorld.plain
    static let bulk = SeededWorld.bulk

    static func run(_ number: Int) -> RunKey {
        RunKey(storedActionID: plain, runID: SchedulerTests.item(number).key.runID)
    }

    static func root(_ number: Int = 0) -> RunKey {
        RunKey(storedActionID: bulk, runID: SchedulerTests.item(1_000 + number).key.runID)
    }

    /// Runs with a result each, and chains whose roots are stored already, in one manifest.
    init(runs: Int = 0, chains: Int = 0, pages: Int = 3) {
        self.init(seed: 1)
        api.actionTypes = [Self.plain: "write", Self.bulk: "read_bulk"]
        database.manifests = [[]]
        addRuns(0..<runs, .success(rows: 1))
        for number in 0..<chains { addChain(number, pages: pages) }
    }

    mutating func addRuns(_ numbers: Range<Int>, _ truth: WorldAPI.Truth) {
        for number in numbers {
            let key = Self.run(number)
            api.runs[key] = WorldAPI.Run(truth: truth)
            database.runs[key] = WorldDatabase.Run(
                executedAt: Self.start - 2 * 86_400, expiresAt: Self.start + 5 * 86_400 + Double(number))
            database.manifests[0].append(key)
        }
    }

    /// A chain of pages of two rows each, none of which fails or lets wait.
    mutating func addChain(_ number: Int = 0, pages: Int, isRootStored: Bool = true) {
        let root = Self.root(number)
        let list = (0..<pages).map { page in
            ModelAPI.Page(rows: [page * 10, page * 10 + 1], cursor: page + 1 < pages ? "\(page + 1)" : nil)
        }
        var model = ModelAPI(pages: list, cursors: (0..<pages).map { "\($0)" })
        model.plan = { _ in (.success, 0) }
        api.lists[root] = model
        api.runs[root] = WorldAPI.Run(truth: .root)
        var run = WorldDatabase.Run(expiresAt: Self.start + 5 * 86_400)
        var chain = Chain(root: root)
        chain.inputsHash = PagingFixture.inputsHash
        if isRootStored {
            run.outcome = .success
            run.rows = list[0].rows
            run.storedBy = [0]
            run.fetchedAt = .distantPast
            run.page.nextPage = list[0].cursor
            chain.pages = 1
            chain.cursor = list[0].cursor
        }
        database.runs[root] = run
        database.chains[root] = chain
        database.manifests[0].append(root)
    }

    /// A second manifest of all that the first one has.
    mutating func share() { database.manifests.append(database.manifests[0]) }

    /// What becomes of the runs that POSTs of a chain start.
    mutating func plan(
        _ number: Int = 0, _ plan: @escaping (PageFollower.Submission) -> (fate: ModelAPI.Fate, polls: Int)
    ) {
        api.lists[Self.root(number)]?.plan = plan
    }

    var hasIntents: Bool { database.intents.values.contains { !$0.isEmpty } }

    func chain(_ number: Int = 0) -> Chain? { database.chain(Self.root(number)) }

    /// Why the last export left the chain.
    func leftBecause(_ number: Int = 0) -> ChainLeft.Reason? {
        database.exports.max { $0.key < $1.key }?.value.items[Self.root(number)]?.chainLeft?.reason
    }

    /// Plays one export, and checks what always has to hold.
    ///
    /// - Parameter ending: how it has to end.
    @discardableResult
    mutating func export(
        endingBy ending: Ending? = nil, _ change: (inout ExportPlan) -> Void = { _ in },
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> WorldExport.Record {
        var plan = ExportPlan()
        change(&plan)
        let record = export([plan], sourceLocation: sourceLocation)[0]
        if let ending { #expect(record.successfulEnding == ending, sourceLocation: sourceLocation) }
        return record
    }

    @discardableResult
    mutating func export(
        _ plans: [ExportPlan], sourceLocation: SourceLocation = #_sourceLocation
    ) -> [WorldExport.Record] {
        let records = play(plans)
        checkStored()
        checkWindows()
        #expect(faults == [], sourceLocation: sourceLocation)
        return records
    }

    /// All is there, and each page was started once.
    func expectComplete(starts: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(isComplete, "\(left)", sourceLocation: sourceLocation)
        let started = api.lists.keys.reduce(0) { $0 + api.started($1).count }
        #expect(started == starts, sourceLocation: sourceLocation)
    }
}
