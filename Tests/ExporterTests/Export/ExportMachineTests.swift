import ActionsAPI
import Foundation
import Support
import Testing

@testable import ExportCore
@testable import Exporter

/// Whole exports by the real machine, in simulated time.
@Suite("Whole exports, simulated")
struct ExportMachineTests {
    private func expectSound(_ export: SimulatedExport, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(export.faults == [], sourceLocation: sourceLocation)
        for run in export.database.runs.values {
            #expect(run.stores <= 1, "\(run.item.key) was stored \(run.stores) times", sourceLocation: sourceLocation)
        }
    }

    private func ending(_ export: SimulatedExport) throws -> Ending? { try export.ending?.get() }

    @Test("Every run is asked for once and stored, with at most so many requests in flight")
    func plain() throws {
        var export = SimulatedExport(5000)
        export.play()
        expectSound(export)
        #expect(try ending(export) == .finished)
        #expect(export.database.outcomes == [.success: 5000])
        #expect(export.api.requests == 5000)
        #expect(export.mostInFlight == 32)
        #expect(export.log == [])
    }

    @Test("A scarce window is spent, and never overdrawn", arguments: [1, 7, 60], [0.5, 1.0])
    func window(limit: Int, share: Double) throws {
        var export = SimulatedExport(300)
        export.api.limit = limit
        export.options.budgetShare = share
        export.play()
        expectSound(export)
        #expect(export.database.outcomes == [.success: 300])
        #expect(export.api.refused == 0)
        let windows = (300 / max(1, (Double(limit) * share).rounded(.down))).rounded(.up)
        #expect(export.elapsed < windows * 60 * 1.05 + 60)
    }

    @Test("Forbidden runs are held back until another answer shows that the credentials are good")
    func forbidden() throws {
        var export = SimulatedExport(60)
        export.options.concurrency = 1
        export.api.behaviour = { key, _, _ in
            (0..<19).map { SchedulerTests.item($0).key }.contains(key) ? .permissionDenied : .result(rows: 1)
        }
        export.play()
        expectSound(export)
        #expect(export.database.outcomes == [.forbidden: 19, .success: 41])
    }

    @Test("Twenty first answers of 403 are the credentials' fault, and no run is forbidden")
    func credentials() throws {
        var export = SimulatedExport(200)
        export.api.behaviour = { _, _, _ in .permissionDenied }
        export.play()
        expectSound(export)
        guard case .credentialsRefused? = try ending(export) else {
            Issue.record("\(String(describing: export.ending))")
            return
        }
        #expect(export.database.outcomes == [.queued: 200])
        #expect(export.api.requests <= 20 + 31)
    }

    @Test("When the token ends under all requests in flight, each is asked for again with the next one")
    func endedToken() throws {
        var export = SimulatedExport(100)
        export.options.concurrency = 40
        export.api.behaviour = { _, attempt, _ in attempt == 1 ? .tokenEnded : .result(rows: 1) }
        export.play()
        expectSound(export)
        #expect(try ending(export) == .finished)
        #expect(export.database.outcomes == [.success: 100])
    }

    @Test("Pages of a firewall for everybody: the API is out of reach")
    func firewall() throws {
        var export = SimulatedExport(200)
        export.api.behaviour = { _, _, _ in .blocked }
        export.play()
        expectSound(export)
        guard case .apiUnreachable? = try ending(export) else {
            Issue.record("\(String(describing: export.ending))")
            return
        }
        #expect(export.api.requests <= 20 + 31)
    }

    @Test("An outage opens the circuit: one probe at a time, no try used up, and all is stored afterwards")
    func outage() throws {
        var export = SimulatedExport(2000)
        let (begin, end) = (SimulatedExport.start + 2, SimulatedExport.start + 20)
        export.api.behaviour = { _, _, now in (begin..<end).contains(now) ? .status(503) : .result(rows: 1) }
        export.play()
        expectSound(export)
        #expect(try ending(export) == .finished)
        #expect(export.database.outcomes == [.success: 2000])
        #expect(export.log.count { $0.hasPrefix("circuit opened") } == 1)
        #expect(export.log.count { $0.hasPrefix("circuit closed") } == 1)
        // Those in flight, those that opened it, and the probes.
        #expect(export.api.requests - 2000 <= 32 + 20 + 7)
    }

    @Test("An API that stays so is given up: what was tried failed, the rest stays queued")
    func longOutage() throws {
        var export = SimulatedExport(2000)
        export.api.behaviour = { _, _, _ in .status(503) }
        export.play()
        expectSound(export)
        guard case .apiFailing? = try ending(export) else {
            Issue.record("\(String(describing: export.ending))")
            return
        }
        let outcomes = export.database.outcomes
        #expect(outcomes[.success] == nil && outcomes[.queued, default: 0] > 1900)
        #expect(export.elapsed < 120)
    }

    @Test("No server listens: a few probes, seconds apart, and the export ends")
    func unreachable() throws {
        var export = SimulatedExport(100)
        export.api.behaviour = { _, _, _ in .notConnected }
        export.play()
        expectSound(export)
        #expect(try ending(export) == .apiUnreachable(.failed("connection refused")))
        #expect(export.database.outcomes == [.queued: 100])
        #expect(export.elapsed < 30)
    }

    @Test("An API that comes back within a minute costs nothing")
    func reachedAgain() throws {
        var export = SimulatedExport(1000)
        let (begin, end) = (SimulatedExport.start + 1, SimulatedExport.start + 25)
        export.api.behaviour = { _, _, now in (begin..<end).contains(now) ? .notConnected : .result(rows: 1) }
        export.play()
        expectSound(export)
        #expect(export.database.outcomes == [.success: 1000])
        #expect(export.api.requests == 1000)
    }

    @Test("A time limit ends the export in good order: all that was answered is stored")
    func deadline() throws {
        var export = SimulatedExport(2000)
        export.deadline = SimulatedExport.start + 3
        export.play()
        expectSound(export)
        guard case .timeLimit? = try ending(export) else {
            Issue.record("\(String(describing: export.ending))")
            return
        }
        #expect(export.database.outcomes[.success] == export.api.requests)
        #expect(export.elapsed < 3.5)
        export.deadline = nil
        export.play()
        #expect(export.database.outcomes == [.success: 2000])
        #expect(export.api.requests == 2000)
    }

    @Test("A window that opens after the time limit is not waited for, and the ending says when to come back")
    func deadlineBeforeWindow() throws {
        var export = SimulatedExport(100)
        export.api.limit = 10
        export.options.budgetShare = 1
        export.deadline = SimulatedExport.start + 30
        export.play()
        expectSound(export)
        guard case .timeLimit(let comeBackAt?)? = try ending(export) else {
            Issue.record("\(String(describing: export.ending))")
            return
        }
        #expect(export.elapsed < 5)
        #expect((55...65).contains(comeBackAt.timeIntervalSince(SimulatedExport.start)))
        #expect(export.database.outcomes[.success] == 10)
    }

    @Test("A signal lets answers come for a second and a half, then what is silent is cut off")
    func signal() throws {
        var export = SimulatedExport(40)
        export.signalAt = SimulatedExport.start + 10
        export.api.behaviour = { key, _, _ in
            key == SchedulerTests.item(3).key ? .silence : .result(rows: 1)
        }
        export.play()
        expectSound(export)
        #expect(try ending(export) == .interrupted(signal: 15))
        #expect(export.database.outcomes == [.success: 39, .queued: 1])
        #expect((11.4...11.6).contains(export.elapsed))
        #expect(export.tally.requests == 40)
    }

    @Test("A database that is lost ends the export with its error; what was committed stays")
    func lostDatabase() throws {
        var export = SimulatedExport(2000)
        export.loseDatabaseAt = SimulatedExport.start + 1
        export.play()
        expectSound(export)
        #expect(throws: SimulatedDatabase.Lost.self) { try ending(export) }
        let stored = export.database.outcomes[.success, default: 0]
        #expect(stored > 0 && stored < 2000)
        export.loseDatabaseAt = nil
        export.database.isLost = false
        export.play()
        #expect(export.database.outcomes == [.success: 2000])
    }

    @Test("What is not finished is polled at growing gaps until --max-wait is over")
    func polls() throws {
        var export = SimulatedExport(20)
        export.api.behaviour = { _, attempt, _ in attempt < 5 ? .pending : .result(rows: 1) }
        export.play()
        expectSound(export)
        #expect(export.database.outcomes == [.success: 20])
        #expect(export.api.requests == 100)

        export = SimulatedExport(20)
        export.options.maxWait = .seconds(100)
        export.api.behaviour = { _, _, _ in .waiting }
        export.play()
        expectSound(export)
        #expect(try ending(export) == .finished)
        #expect(export.database.outcomes == [.waiting: 20])
        #expect((60...101).contains(export.elapsed))
    }

    @Test("A Retry-After that is worth waiting for is waited for and logged; a longer one is not")
    func retryAfter() throws {
        var export = SimulatedExport(3)
        export.api.behaviour = { _, attempt, _ in attempt == 1 ? .status(503, retryAfter: 300) : .result(rows: 1) }
        export.play()
        expectSound(export)
        #expect(export.database.outcomes == [.success: 3])
        #expect(export.log.count { $0.contains("Retry-After") } == 1)
        #expect(export.log.count { $0.hasPrefix("asking the API again") } == 1)

        export = SimulatedExport(3)
        export.api.behaviour = { _, _, _ in .status(503, retryAfter: 86_400) }
        export.play()
        #expect(export.database.outcomes == [.failed: 3])
        #expect(export.elapsed < 10)
    }

    @Test("One answer that drips holds up no other, not even the one that opens the window", arguments: [0, 5, 60])
    func dripping(number: Int) throws {
        var export = SimulatedExport(200)
        export.api.limit = 1000
        export.bodyTime = { $0 == SchedulerTests.item(number).key ? 500 : 0 }
        export.deadline = SimulatedExport.start + 10
        export.play()
        expectSound(export)
        #expect(export.database.outcomes == [.success: 199, .queued: 1])
        export.deadline = nil
        export.bodyTime = { _ in 0 }
        export.play()
        #expect(export.database.outcomes == [.success: 200])
    }

    @Test("A 200 that quotes a 429 of the API's own closes the window, behind a head that did not")
    func quotedThrottle() throws {
        var export = SimulatedExport(100)
        export.api.behaviour = { key, attempt, _ in
            key == SchedulerTests.item(50).key && attempt == 1 ? .quoted(429) : .result(rows: 1)
        }
        export.bodyTime = { _ in 0.05 }
        export.options.concurrency = 1
        export.play()
        expectSound(export)
        #expect(export.database.outcomes == [.success: 100])
        #expect(export.log.count { $0.contains("answered 429") } == 1)
        // The window opens again a second later.
        #expect((16...17).contains(export.elapsed))
    }

    // MARK: Hundreds of exports

    @Test(
        "A thousand manifests under faults, each exported until it is complete: nothing lost, doubled or asked in vain")
    func faults() throws {
        var random = SplitMix(state: 20_261_126)
        var exports = 0
        for _ in 0..<400 {
            let seed = random.next()
            exports += try exportUntilComplete(seed)
        }
        #expect(exports > 500)
    }

    /// - Returns: how many exports it took.
    private func exportUntilComplete(_ seed: UInt64) throws -> Int {
        var random = SplitMix(state: seed)
        let count = Int.random(in: 1...150, using: &random)
        var export = SimulatedExport(count)
        export.options.concurrency = Int.random(in: 1...40, using: &random)
        export.options.budgetShare = random.happens(0.5) ? 1 : 0.8
        if random.happens(0.5) {
            export.api.limit = Int.random(in: 1...60, using: &random)
            export.api.window = random.next(in: 2...120)
        }
        let (trouble, faults) = (SplitMix(state: random.next()), random.next(in: 0...0.4))
        let outage = SimulatedExport.start + random.next(in: 0...60)
        let hasOutage = random.happens(0.3)
        export.api.behaviour = { key, attempt, now in
            if hasOutage, now >= outage, now < outage + 20 { return .status(500) }
            // The same run has the same troubles, whenever it is asked for.
            var chance = trouble
            for _ in 0..<Int(key.runID.uuid.15 &+ UInt8(truncatingIfNeeded: attempt &* 7)) { _ = chance.next() }
            guard attempt < 12, chance.happens(faults) else { return .result(rows: 2) }
            switch chance.unit() {
            case ..<0.3: return .status(503)
            case ..<0.5: return .pending
            case ..<0.6: return .waiting
            case ..<0.75: return .connectionLost
            case ..<0.85: return .status(429, retryAfter: 2)
            case ..<0.95: return .notConnected
            default: return .silence
            }
        }
        var jitter = SplitMix(state: random.next())
        export.latency = { jitter.next(in: 0.01...0.8) }
        var calls = 0
        while export.database.outcomes != [.success: count], calls < 60 {
            calls += 1
            let isLast = calls > 50
            export.deadline = !isLast && random.happens(0.3) ? export.now + random.next(in: 1...60) : export.now + 3600
            export.signalAt = !isLast && random.happens(0.2) ? export.now + random.next(in: 0...30) : nil
            export.loseDatabaseAt = !isLast && random.happens(0.1) ? export.now + random.next(in: 0...30) : nil
            export.database.isLost = false
            let before = export.now
            export.play()
            // The time limit, and what answers and the database may take after it.
            if export.now.timeIntervalSince(before) > 3605 { Issue.record("seed \(seed): the export does not end") }
        }
        // The first request of each call may meet a window that the call before has spent.
        if export.api.refused > calls { Issue.record("seed \(seed): \(export.api.refused) requests beyond the limit") }
        if export.faults != [] { Issue.record("seed \(seed): \(export.faults)") }
        if export.database.outcomes != [.success: count] { Issue.record("seed \(seed): \(export.database.outcomes)") }
        if export.database.runs.values.contains(where: { $0.stores != 1 || $0.results != 2 }) {
            Issue.record("seed \(seed): a result is stored twice, or not whole")
        }
        return calls
    }

    // MARK: What cannot come

    /// Events for which nothing is under way when an export has just begun.
    private static let impossible: [ExportMachine.Event] = [
        .fetched(SchedulerTests.item(1), .cancelled(mayHaveLeft: false), at: SchedulerTests.now),
        .lookedUp(UUID(), .cancelled(mayHaveLeft: false), at: SchedulerTests.now),
        .posted(SchedulerTests.item(1).key, .cancelled(mayHaveLeft: false), at: SchedulerTests.now),
        .committed(.success([])), .remembered(.success(())), .queueRead(.late, .success([])), .pollsRead(.success([])),
        .chain(SchedulerTests.item(1).key, .closed(.success(()))),
    ]

    @Test("An event that cannot come ends the export with an error that names it", arguments: impossible.indices)
    func unexpected(_ index: Int) throws {
        var machine = ExportMachine(
            options: ExportOptions(), opened: OpenedStep(filled: [.first], isLast: true), witnesses: [], deadline: nil,
            trap: { _ in })
        _ = machine.begin(at: SchedulerTests.now)
        _ = machine.handle(Self.impossible[index], at: SchedulerTests.now)
        #expect(throws: ExportMachine.UnexpectedEvent.self) { try machine.result.get() }
    }

    @Test("In a debug build it traps")
    func trapped() async {
        await #expect(processExitsWith: .failure) {
            var machine = ExportMachine(
                options: ExportOptions(), opened: OpenedStep(filled: [.first], isLast: true), witnesses: [],
                deadline: nil)
            _ = machine.begin(at: Date(timeIntervalSince1970: 1_800_000_000))
            _ = machine.handle(.committed(.success([])), at: Date(timeIntervalSince1970: 1_800_000_000))
        }
    }
}
