import ActionsAPI
import Foundation
import Support

@testable import ExportCore
@testable import Exporter

/// An API, a database, and the exports at them, in simulated time: a clock that jumps from one happening to the next.
///
/// Whatever is sent takes two steps: it reaches the API or the database, which act; and the answer reaches the export,
/// if that is still there. So an export may die, and another one act, between any two steps.
struct World {
    typealias Event = ExportMachine.Event
    typealias Effect = ExportMachine.Effect

    enum Happening {
        case begins(ExportPlan)
        /// A request is at the API.
        case arrival(WorldAPI.Request, RunItem?)
        /// A statement is at the database.
        case statement(ExportMachine.DatabaseWork)
        case event(Event)
        case signal(Int32)
        case killed
        case databaseLost
        case lockLost
    }

    /// How long things take.
    struct Pace {
        /// Seconds that a request takes, there and back.
        var latency: ClosedRange<Double> = 0.1...0.1
        /// Seconds that a statement takes.
        var database: ClosedRange<Double> = 0.004...0.004
        /// How likely a body comes after its head, by up to a second.
        var slowBodies = 0.0
    }

    /// What was played so far.
    struct Played {
        var exports = 0
        var steps = 0
        /// The kinds of steps before which exports died.
        var killedBefore: Set<String> = []
    }

    struct Entry {
        var at: Date
        /// The export that it concerns.
        var export: Int
        var happening: Happening
    }

    /// What became of a POST: no other may leave for its chain before that is known.
    struct Outstanding: Equatable {
        var key: ModelDatabase.IntentKey
        var export: Int
    }

    static let start = SchedulerTests.now

    var api = WorldAPI()
    var database = WorldDatabase()
    var pace = Pace()
    var now = Self.start
    var random: SplitMix
    /// Broken promises.
    var faults: [String] = []
    /// The exports that are over, in the order of their ends.
    var records: [WorldExport.Record] = []
    /// Exports under way, by their number.
    var exports: [Int: WorldExport] = [:]
    /// By the chain's root.
    var outstanding: [RunKey: Outstanding] = [:]
    /// Answers by their status and body: most are alike, and to read one takes longer than all else.
    var answers: [String: RunAnswer] = [:]
    private(set) var played = Played()
    private var queue: [Entry] = []
    /// Requests that exports may have in flight without each other's knowledge.
    private var unseen = 0

    init(seed: UInt64) { random = SplitMix(state: seed) }

    // MARK: Time

    /// Plays exports until all of them are over, and all that they sent has arrived.
    ///
    /// - Returns: what is left of them, in the order of the plans.
    @discardableResult
    mutating func play(_ plans: ExportPlan...) -> [WorldExport.Record] { play(plans) }

    @discardableResult
    mutating func play(_ plans: [ExportPlan]) -> [WorldExport.Record] {
        let first = played.exports + 1
        records = []
        for plan in plans {
            played.exports += 1
            schedule(.begins(plan), of: played.exports, at: now + plan.startsAfter)
        }
        unseen = plans.count > 1 ? plans.reduce(0) { $0 + $1.options.concurrency } : 0
        var steps = 0
        while let entry = next() {
            steps += 1
            if steps > 200_000 {
                faults.append("no end after \(steps) steps")
                break
            }
            now = max(now, entry.at)
            if dies(before: entry) {
                // The request is on its way all the same.
                if case .arrival = entry.happening { happen(entry.happening, to: entry.export) }
            } else {
                happen(entry.happening, to: entry.export)
            }
        }
        if !exports.isEmpty { faults.append("exports \(exports.keys.sorted()) wait for nothing") }
        for id in exports.keys.sorted() { close(id, nil) }
        queue = []
        api.rest()
        played.steps += steps
        return (first...played.exports).compactMap { id in records.first { $0.id == id } }
    }

    private mutating func next() -> Entry? {
        let wake = exports.values.min { ($0.wakeAt, $0.id) < ($1.wakeAt, $1.id) }
        if let first = queue.first, first.at <= wake?.wakeAt ?? .distantFuture { return queue.removeFirst() }
        guard let wake, wake.wakeAt < .distantFuture else { return nil }
        exports[wake.id]?.wakeAt = .distantFuture
        return Entry(at: wake.wakeAt, export: wake.id, happening: .event(Self.woken))
    }

    mutating func schedule(_ happening: Happening, of export: Int, at time: Date) {
        var (low, high) = (0, queue.count)
        while low < high {
            let middle = (low + high) / 2
            if queue[middle].at <= time { low = middle + 1 } else { high = middle }
        }
        queue.insert(Entry(at: time, export: export, happening: happening), at: low)
    }

    /// - Returns: whether the export had only so many steps to live.
    private mutating func dies(before entry: Entry) -> Bool {
        guard let export = exports[entry.export] else { return false }
        exports[entry.export]?.steps += 1
        guard export.plan.killedAtStep == export.steps + 1 else { return false }
        played.killedBefore.insert(entry.happening.name)
        kill(entry.export)
        return true
    }

    // MARK: Happenings

    private mutating func happen(_ happening: Happening, to id: Int) {
        switch happening {
        case .begins(let plan): begin(plan, as: id)
        case .arrival(let request, let item): arrive(request, item, of: id)
        case .statement(let statement):
            guard let export = exports[id] else { return }
            if export.isDatabaseLost {
                // The statement may have come through all the same, and its answer not.
                if random.happens(0.3) { _ = perform(statement, of: id) }
                schedule(.event(failure(of: statement)), of: id, at: now + 0.01)
            } else {
                let event = perform(statement, of: id)
                schedule(.event(event), of: id, at: now + random.next(in: pace.database) / 2)
            }
        case .event(let event): deliver(event, to: id)
        case .signal(let number): deliver(Self.signalled(number), to: id)
        case .killed: kill(id)
        case .databaseLost:
            exports[id]?.isDatabaseLost = true
            loseLock(of: id)
        case .lockLost: loseLock(of: id)
        }
    }

    private mutating func loseLock(of id: Int) {
        exports[id]?.hasLostLock = true
        database.alive.remove(id)
    }

    private mutating func begin(_ plan: ExportPlan, as id: Int) {
        database.begin(id, manifest: plan.manifest, options: plan.options, at: now)
        api.begins(at: now, share: plan.options.budgetShare, unseen: unseen)
        let opened = database.openStep(of: id, options: plan.options, at: now)
        let dice = Dice(random.next())
        let machine = ExportMachine(
            options: plan.options, opened: opened, witnesses: database.witnesses(),
            deadline: plan.timeLimit.map { now + $0 }, random: { dice.unit() }, newID: { dice.uuid() })
        exports[id] = WorldExport(id: id, plan: plan, machine: machine, at: now)
        for signal in plan.signals { schedule(.signal(signal.number), of: id, at: now + signal.after) }
        if let time = plan.killedAfter { schedule(.killed, of: id, at: now + time) }
        if let time = plan.databaseLostAfter { schedule(.databaseLost, of: id, at: now + time) }
        if let time = plan.lockLostAfter { schedule(.lockLost, of: id, at: now + time) }
        let effects = exports[id]?.machine.begin(at: now) ?? []
        for effect in effects { act(on: effect, of: id) }
    }

    private mutating func deliver(_ event: Event, to id: Int) {
        guard exports[id] != nil else { return }
        if let request = request(of: event) {
            // It was cancelled meanwhile.
            guard exports[id]?.inFlight[request] != nil else { return }
            if event.endsRequest { exports[id]?.inFlight[request] = nil }
            noteStart(event, of: id)
        }
        let effects = exports[id]?.machine.handle(event, at: now) ?? []
        for effect in effects { act(on: effect, of: id) }
    }

    /// The process dies. What it sent is on its way all the same; each statement is done or not.
    private mutating func kill(_ id: Int) {
        guard exports[id] != nil else { return }
        for entry in queue where entry.export == id {
            if case .statement(let statement) = entry.happening, random.happens(0.5) {
                _ = perform(statement, of: id)
            }
        }
        queue.removeAll { entry in
            guard entry.export == id else { return false }
            if case .arrival = entry.happening { return false }
            return true
        }
        close(id, nil)
    }

    /// - Parameter ending: nil if the export was killed.
    mutating func close(_ id: Int, _ ending: Result<Ending, any Error>?) {
        guard var record = exports[id]?.record, let export = exports[id] else { return }
        record.endedAt = now
        record.ending = ending
        record.tally = export.machine.tally
        records.append(record)
        exports[id] = nil
        if case .success(let ending)? = ending, !export.isDatabaseLost {
            database.finish(
                id, isComplete: ending == .finished,
                hasPagesToRefetch: exports[id]?.machine.hasPagesToRefetch ?? false)
        } else {
            // Its row stays as it is, for the next export of the manifest to find.
            database.alive.remove(id)
        }
        queue.removeAll { entry in
            guard entry.export == id else { return false }
            switch entry.happening {
            case .signal, .killed, .databaseLost, .lockLost, .event, .statement: return true
            case .begins, .arrival: return false
            }
        }
    }
}
