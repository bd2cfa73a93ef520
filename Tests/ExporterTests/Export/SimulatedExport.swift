import ActionsAPI
import Foundation

@testable import ExportCore
@testable import Exporter

/// What the tables hold of the runs of a manifest.
struct SimulatedDatabase {
    struct Run {
        var item: RunItem
        var outcome = Outcome.queued
        var results = 0
        /// How often a result was stored.
        var stores = 0
        /// Its poll is in the work list.
        var shelvedPoll: PollDue?
        /// The present export has it in memory, or is done with it.
        var isTaken = false
    }

    struct Lost: Error {}

    private(set) var runs: [RunKey: Run]
    /// Commits fail from then on.
    var isLost = false

    init(_ items: [RunItem]) {
        runs = Dictionary(uniqueKeysWithValues: items.map { ($0.key, Run(item: $0)) })
    }

    var outcomes: [Outcome: Int] { runs.values.reduce(into: [:]) { $0[$1.outcome, default: 0] += 1 } }

    /// Another export of the manifest begins.
    mutating func beginExport() {
        for key in runs.keys {
            runs[key]?.isTaken = false
            runs[key]?.shelvedPoll = nil
        }
    }

    private static let settled: Set<Outcome> = [.success, .error, .notFound, .forbidden, .rejected]

    mutating func take(_ queue: WorkQueue, limit: Int, at now: Date) -> [RunItem] {
        let floor = queue == .first ? now : .distantPast
        let items = runs.values.lazy
            .filter { !$0.isTaken && !Self.settled.contains($0.outcome) }
            .map(\.item)
            .filter { $0.expiresAt > floor }
            .sorted { ($0.expiresAt, $0.key.runID) < ($1.expiresAt, $1.key.runID) }
            .prefix(limit).map(\.self)
        for item in items { runs[item.key]?.isTaken = true }
        return items
    }

    mutating func takePolls(limit: Int) -> [PollDue] {
        let polls = runs.values.compactMap(\.shelvedPoll).sorted { $0.at < $1.at }.prefix(limit).map(\.self)
        for poll in polls { runs[poll.item.key]?.shelvedPoll = nil }
        return polls
    }

    mutating func shelve(_ poll: PollDue) { runs[poll.item.key]?.shelvedPoll = poll }

    mutating func commit(_ batch: [FetchedRun]) -> Result<[Commit], any Error> {
        if isLost { return .failure(Lost()) }
        return .success(batch.map { commit($0) })
    }

    private mutating func commit(_ loaded: FetchedRun) -> Commit {
        let key = loaded.item.key
        let stored = runs[key]?.outcome ?? .queued
        let rule = MergeRule(stored: stored, answer: loaded.verdict.outcome, refetch: false)
        if rule == .replace {
            runs[key]?.results = loaded.resultCount
            runs[key]?.stores += 1
        }
        if rule == .replace || rule == .update {
            runs[key]?.outcome = loaded.verdict.outcome
            runs[key]?.item = loaded.item
            runs[key]?.item.requests = 0
        }
        var item = loaded.item
        item.requests = 0
        return Commit(
            item: item, outcome: runs[key]?.outcome ?? .queued, rule: rule,
            results: rule == .replace ? loaded.resultCount : 0, errors: rule == .replace ? loaded.errorCount : 0,
            bundledErrors: 0, rejects: 0, pollAt: loaded.pollAt)
    }
}

/// A whole export in simulated time: the real machine, a model of the API and of the database, and a clock that jumps
/// from one event to the next.
struct SimulatedExport {
    typealias Event = ExportMachine.Event

    static let start = SchedulerTests.now

    var api = SimulatedAPI()
    var database: SimulatedDatabase
    var options = ExportOptions()
    var deadline: Date?
    /// When the process is signalled.
    var signalAt: Date?
    /// When the database is lost.
    var loseDatabaseAt: Date?
    /// Seconds that a request takes.
    var latency: () -> TimeInterval = { 0.1 }
    /// Seconds that a body takes after its head.
    var bodyTime: (RunKey) -> TimeInterval = { _ in 0 }
    var random: @Sendable () -> Double = { 0.5 }
    var witnesses: [UUID] = []

    private(set) var now = Self.start
    private(set) var log: [String] = []
    private(set) var mostInFlight = 0
    private(set) var ending: Result<Ending, any Error>?
    private(set) var tally = Tally()
    private(set) var faults: [String] = []
    private var queue: [(at: Date, event: Event)] = []
    private var inFlight: [RunKey: RunItem] = [:]
    private var hasCancelled = false
    private var wakeAt = Date.distantFuture

    init(_ items: [RunItem]) { database = SimulatedDatabase(items) }

    /// Runs of these numbers, that expire one after the other.
    init(_ count: Int) { self.init((0..<count).map { SchedulerTests.item($0, expiresInHours: 24 + Double($0) / 100) }) }

    /// Seconds since the first export's start.
    var elapsed: TimeInterval { now.timeIntervalSince(Self.start) }

    /// Plays an export to its end; called again, the next export of the same manifest, at that time.
    mutating func play() {
        database.beginExport()
        (queue, inFlight, hasCancelled, wakeAt, ending) = ([], [:], false, .distantFuture, nil)
        var machine = ExportMachine(
            options: options, opened: OpenedStep(filled: [.first, .late], isLast: true), witnesses: witnesses,
            deadline: deadline, random: random)
        if let signalAt { schedule(.interrupted(signal: 15), at: signalAt) }
        var effects = machine.begin(at: now)
        for _ in 0..<1_000_000 {
            for effect in effects { perform(effect) }
            if ending != nil { break }
            let next: Event
            if let first = queue.first, first.at <= wakeAt {
                now = max(now, first.at)
                next = queue.removeFirst().event
            } else if wakeAt < .distantFuture {
                now = max(now, wakeAt)
                wakeAt = .distantFuture
                next = .woke
            } else {
                faults.append("the export waits for nothing")
                break
            }
            if let loseDatabaseAt, now >= loseDatabaseAt { database.isLost = true }
            effects = machine.handle(stored(next), at: now)
            if case .finish? = effects.last { ending = machine.result }
        }
        if ending == nil { faults.append("the export has no end") }
        tally = machine.tally
    }

    // MARK: Effects

    private mutating func perform(_ effect: ExportMachine.Effect) {
        switch effect {
        case .fetch(let item):
            if inFlight.updateValue(item, forKey: item.key) != nil { faults.append("\(item.key) is in flight twice") }
            if hasCancelled { faults.append("a request leaves after the end") }
            mostInFlight = max(mostInFlight, inFlight.count)
            let arrival = now + latency()
            if let reply = api.reply(to: item.key, at: now, arrivingAt: arrival) {
                let whole = arrival + bodyTime(item.key)
                if case .answered(_, let details) = reply, whole > arrival {
                    schedule(.headArrived(.run(item.key), details.head), at: arrival)
                }
                schedule(.fetched(item, reply, at: whole), at: whole)
            }
        case .lookUp(let action): faults.append("\(action) is looked up")
        case .store(let work): perform(work)
        case .shelve(.poll(let poll)): database.shelve(poll)
        case .shelve(.chain): faults.append("work for a chain, in an export without chains")
        case .cancelReads:
            hasCancelled = true
            queue.removeAll { if case .fetched = $0.event { true } else { false } }
            for item in inFlight.values {
                schedule(.fetched(item, .cancelled(mayHaveLeft: true), at: now), at: now)
            }
        case .cancelPosts, .finish: break
        case .log(_, let text): log.append(text)
        case .wake(let time): wakeAt = time
        case .post: faults.append("work for a chain, in an export without chains")
        }
    }

    private mutating func perform(_ work: ExportMachine.DatabaseWork) {
        switch work {
        case .read(.polls, let limit):
            schedule(.pollsRead(.success(database.takePolls(limit: limit))), at: now + 0.002)
        case .read(let queue, let limit):
            schedule(.queueRead(queue, .success(database.take(queue, limit: limit, at: now))), at: now + 0.002)
        case .commit(let batch, _):
            pending = batch
            schedule(.committed(.success([])), at: now + 0.01)
        case .open, .prepare, .write, .remember: faults.append("work for a chain, in an export without chains")
        }
    }

    /// The batch that is on its way to the database.
    private var pending: [FetchedRun] = []

    /// What the event brings when its time has come.
    private mutating func stored(_ event: Event) -> Event {
        switch event {
        case .committed:
            defer { pending = [] }
            return .committed(database.commit(pending))
        case .fetched(let item, _, _):
            inFlight[item.key] = nil
            return event
        default: return event
        }
    }

    private mutating func schedule(_ event: Event, at time: Date) {
        var (low, high) = (0, queue.count)
        while low < high {
            let middle = (low + high) / 2
            if queue[middle].at <= time { low = middle + 1 } else { high = middle }
        }
        queue.insert((time, event), at: low)
    }
}
