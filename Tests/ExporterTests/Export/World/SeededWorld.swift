import ActionsAPI
import Foundation
import Support

@testable import ExportCore
@testable import Exporter

/// A world made from a seed: runs and chains, windows and troubles, and exports that meet them, side by side or one
/// after the other. The same seed has the same course.
struct SeededWorld {
    struct Count {
        var exports = 0
        var kills = 0
        var doubts = 0
        var lostDatabases = 0
        var posts = 0
        var events = 0
        var answers: [String: RunAnswer] = [:]
    }

    static let bulk = PagingFixture.root.storedActionID
    static let plain = UUID(uuidString: "4f4e0000-0000-4000-8000-000000000002")!

    let seed: UInt64
    private(set) var world: World
    private(set) var count: Count
    /// What was played, for who looks for a fault.
    private var played: [(at: TimeInterval, plan: ExportPlan, record: WorldExport.Record)] = []
    private var random: SplitMix

    init(seed: UInt64, count: Count) {
        self.seed = seed
        self.count = count
        random = SplitMix(state: seed)
        world = World(seed: random.next())
        world.answers = count.answers
        let slowest = random.next(in: 0.02...0.8)
        world.pace.latency = 0.01...slowest
        world.pace.database = 0.002...random.next(in: 0.003...0.1)
        world.pace.slowBodies = random.happens(0.3) ? 0.3 : 0
        makeRuns()
        makeChains()
        shareOut()
        if random.happens(0.5) {
            world.api.reads = RateWindowModel(
                limit: Int.random(in: 5...60, using: &random), length: random.next(in: 2...30))
        }
        if random.happens(0.5) {
            world.api.starts = RateWindowModel(
                limit: Int.random(in: 1...10, using: &random), length: random.next(in: 2...30))
        }
        world.api.birth = random.happens(0.3) ? random.next(in: 0...5) : 0
    }

    /// Each export, how it was called, and how it ended.
    var story: String {
        played.map { at, plan, record in
            "at \(at) s: \(plan): \(record.seconds) s, \(record.ending.map { "\($0)" } ?? "killed")"
        }.joined(separator: "\n")
    }

    // MARK: Making

    private mutating func makeRuns() {
        let share = random.unit()
        let runs = 5 + Int(55 * share * share * share * share)
        for number in 0..<runs {
            let key = RunKey(storedActionID: Self.plain, runID: random.uuid())
            let truth: WorldAPI.Truth =
                switch random.unit() {
                case ..<0.06: .partnerError
                case ..<0.11: .notFound
                case ..<0.15: .forbidden
                case ..<0.18: .rejected
                default: .success(rows: Int.random(in: 0...3, using: &random))
                }
            let readyAt = random.happens(0.1) ? World.start + random.next(in: 0...900) : .distantPast
            world.api.runs[key] = WorldAPI.Run(truth: truth, readyAt: readyAt)
            let age: TimeInterval = random.happens(0.05) ? 8 * 86_400 : 2 * 86_400
            let executedAt = World.start - age + Double(number)
            world.database.runs[key] = WorldDatabase.Run(
                executedAt: executedAt, expiresAt: executedAt + retention.seconds)
        }
        world.api.actionTypes = [Self.plain: "write", Self.bulk: "read_bulk"]
    }

    private mutating func makeChains() {
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            let root = RunKey(storedActionID: Self.bulk, runID: random.uuid())
            world.api.lists[root] = ModelAPI.random(&random, length: Int.random(in: 1...6, using: &random))
            world.api.runs[root] = WorldAPI.Run(
                truth: .root, readyAt: random.happens(0.1) ? World.start + random.next(in: 0...60) : .distantPast)
            world.database.runs[root] = WorldDatabase.Run(
                executedAt: World.start - 86_400, expiresAt: World.start + 6 * 86_400)
            var chain = Chain(root: root)
            chain.inputsHash = PagingFixture.inputsHash
            chain.maxPages = random.happens(0.2) ? Int.random(in: 1...4, using: &random) : 1_000
            world.database.chains[root] = chain
        }
    }

    /// One manifest of all, or two that share a part.
    private mutating func shareOut() {
        let keys = world.database.runs.keys.sorted { $0.runID < $1.runID }
        guard random.happens(0.5) else { return world.database.manifests = [keys] }
        world.database.manifests = [[], []]
        for key in keys {
            let place = random.unit()
            if place < 0.7 { world.database.manifests[0].append(key) }
            if place > 0.3 { world.database.manifests[1].append(key) }
        }
    }

    /// Requests fail, each for itself or all of them for a while.
    private mutating func makeTroubles() {
        let (often, begin) = (random.next(in: 0...0.3), world.now)
        let outage = begin + random.next(in: 0...20)
        let outageEnd = outage + (random.happens(0.3) ? random.next(in: 1...90) : 0)
        let absence = begin + random.next(in: 0...20)
        let absenceEnd = absence + (random.happens(0.2) ? random.next(in: 1...60) : 0)
        let refusal = random.happens(0.1) ? begin + random.next(in: 0...20) : .distantFuture
        var chance = SplitMix(state: random.next())
        world.api.trouble = { request, _, now in
            if now >= refusal { return chance.happens(0.5) ? .noToken(.refused) : .status(401) }
            if now >= absence, now < absenceEnd { return .notConnected }
            if now >= outage, now < outageEnd { return .status(503) }
            guard chance.happens(request.isPage ? often / 2 : often) else { return nil }
            return request.isPage ? Self.startTrouble(&chance) : Self.readTrouble(&chance)
        }
    }

    private static func readTrouble(_ random: inout SplitMix) -> WorldAPI.Trouble {
        switch random.unit() {
        case ..<0.3: .status(503, retryAfter: random.happens(0.2) ? 3 : nil)
        case ..<0.5: .status(500)
        case ..<0.6: .status(429, retryAfter: 2)
        case ..<0.75: .lostBefore
        case ..<0.8: .silence
        case ..<0.9: .notConnected
        case ..<0.95: .quoted(503)
        case ..<0.97: .quoted(429)
        default: .page(502)
        }
    }

    private static func startTrouble(_ random: inout SplitMix) -> WorldAPI.Trouble {
        switch random.unit() {
        case ..<0.2: .status(503, retryAfter: random.happens(0.5) ? 3 : nil)
        case ..<0.3: .status(429, retryAfter: 2)
        case ..<0.4: .notConnected
        case ..<0.5: .lostBefore
        case ..<0.6: .lostAfter
        case ..<0.7: .failedAfter
        case ..<0.8: .silence
        case ..<0.88: .status(422)
        case ..<0.95: .status(404)
        default: .oldRun
        }
    }

    private mutating func makePlan(_ manifest: Int) -> ExportPlan {
        var plan = ExportPlan(manifest: manifest)
        plan.options.concurrency = Int.random(in: 1...12, using: &random)
        plan.options.budgetShare = random.happens(0.5) ? 1 : 0.8
        plan.options.maxWait = [.zero, .seconds(60), .seconds(600)][Int.random(in: 0...2, using: &random)]
        plan.options.retryFailedPages = random.happens(0.5)
        plan.options.refetch = random.happens(0.15)
        plan.timeLimit = random.happens(0.3) ? random.next(in: 1...60) : 3600
        if random.happens(0.15) { plan.signals = [ExportPlan.Signal(after: random.next(in: 0...15))] }
        if random.happens(0.35) { plan.killedAfter = random.next(in: 0...6) }
        if random.happens(0.1) { plan.databaseLostAfter = random.next(in: 0...6) }
        if random.happens(0.1) { plan.lockLostAfter = random.next(in: 0...6) }
        return plan
    }

    // MARK: Playing

    /// Exports under troubles, and then such without, until all is there.
    mutating func play() {
        for _ in 0..<Int.random(in: 1...2, using: &random) {
            makeTroubles()
            var plans = world.database.manifests.indices.map { makePlan($0) }
            for index in plans.indices.dropFirst() { plans[index].startsAfter = random.next(in: 0...3) }
            if let death = plans[0].killedAfter, random.happens(0.5) {
                var next = makePlan(0)
                next.startsAfter = death + random.next(in: 0.01...1)
                plans.append(next)
            }
            play(plans)
            if random.happens(0.5) { resolve() }
            world.now += random.next(in: 0...300)
        }
        world.api.trouble = { _, _, _ in nil }
        var rounds = 0
        repeat {
            rounds += 1
            world.now += 700
            resolve()
            for manifest in world.database.manifests.indices {
                var plan = ExportPlan(manifest: manifest)
                plan.options.retryFailedPages = true
                if play([plan]).contains(where: { $0.successfulEnding != .finished }) {
                    world.faults.append("an export that nothing disturbs ends by \(String(describing: world.records))")
                }
            }
        } while !world.isComplete && rounds < 30 && world.faults.isEmpty
        if !world.isComplete { world.faults.append("left after \(rounds) undisturbed exports: \(world.left)") }
        count.posts += world.api.posts
        count.events += world.played.steps
        count.answers = world.answers
    }

    private mutating func resolve() {
        let doubts = world.database.chains.values.count { $0.end?.reason == .submitUnknown }
        count.doubts += doubts
        world.resolveDoubts()
    }

    @discardableResult
    private mutating func play(_ plans: [ExportPlan]) -> [WorldExport.Record] {
        let begin = world.now
        let records = world.play(plans)
        count.exports += plans.count
        for (plan, record) in zip(plans, records) {
            played.append((begin.timeIntervalSince(World.start), plan, record))
            if record.ending == nil { count.kills += 1 }
            if case .failure? = record.ending { count.lostDatabases += 1 }
            // The time limit or the signal, what answers are given after it, and the database.
            let limit = ([plan.timeLimit ?? .infinity] + plan.signals.map(\.after)).min() ?? .infinity
            if record.seconds > limit + 5 { world.faults.append("export \(record.id) takes \(record.seconds) s") }
            if case .failure? = record.ending, plan.databaseLostAfter == nil {
                world.faults.append("export \(record.id) loses a database that is there")
            }
        }
        if records.count < plans.count { world.faults.append("\(plans.count) exports begin, \(records.count) end") }
        world.checkStored()
        world.checkWindows()
        return records
    }
}
