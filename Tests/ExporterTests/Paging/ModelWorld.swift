import Foundation
import Support

@testable import ExportCore
@testable import Exporter

/// An export on its way: it performs what its follower wants, and tells it what came of it. Between any two steps it
/// may be killed: before a thing is done, or after it and before the follower hears.
private struct ModelExport {
    enum Event {
        case lookedUp(ActionDescription?)
        case slotTaken(UUID)
        case intended(Chain?)
        case posted(SubmitOutcome)
        case withdrawn
        case recorded(Chain?)
        case polled(RunItem)
        case stored(Chain, Outcome)
        case read(Chain)
        case done
    }

    enum Step {
        case perform(PageFollower.Action)
        case tell(Event)
    }

    let id: Int
    var follower: PageFollower
    var step: Step
    /// Its time is up, or its credentials were refused: it takes no slot any more.
    var isEnding = false
}

/// One chain, all that is durable of it, the API behind it, the exports that follow it, and an operator.
struct ModelWorld {
    struct Count {
        var pages = 0
        var posts = 0
        var kills = 0
        /// Chains that an operator had to resolve.
        var doubts = 0
        /// POSTs without an answer.
        var lost = 0
        var waits = 0
        /// The steps at which an export was killed.
        var killedAt: Set<String> = []
    }

    /// Broken promises.
    private(set) var faults: [String] = []
    private(set) var count: Count
    private var random: SplitMix
    private var database: ModelDatabase
    private var api: ModelAPI
    private var exports: [ModelExport] = []
    private var exportIDs = 0
    private var now = PagingFixture.now
    private let maxPages: Int
    private let killing: Double
    private let exportsAtOnce: Int

    /// - Parameters:
    ///   - killing: how likely an export is killed at each step.
    ///   - exportsAtOnce: how many exports follow the chain side by side.
    init(_ random: SplitMix, killing: Double, exportsAtOnce: Int, count: Count) {
        self.exportsAtOnce = exportsAtOnce
        self.random = random
        self.killing = killing
        self.count = count
        let length = Int.random(in: 1...30, using: &self.random)
        maxPages = self.random.happens(0.3) ? Int.random(in: 1...10, using: &self.random) : 1_000
        api = ModelAPI.random(&self.random, length: length)
        database = ModelDatabase(root: PagingFixture.root, maxPages: maxPages, inputsHash: PagingFixture.inputsHash)
        _ = database.store(
            PagingFixture.root.runID, .success, rows: api.pages[0].rows, cursor: api.pages[0].cursor, at: now)
    }

    /// Follows the chain to its end.
    ///
    /// - Returns: the generator, for the next chain.
    mutating func run() -> SplitMix {
        let whole = api.wholeChain(maxPages: maxPages)
        var steps = 0
        while faults.isEmpty {
            steps += 1
            guard steps < 50_000 else {
                faults.append("the chain has no end: \(database.chain)")
                break
            }
            if exports.count < exportsAtOnce, database.chain.end == nil || random.happens(0.1) { begin() }
            if exports.isEmpty {
                guard goOn() else { break }
            } else {
                step(Int.random(in: exports.indices, using: &random))
            }
        }
        let chain = database.chain
        if faults.isEmpty, database.rows != whole.rows || chain.pages != whole.pages || chain.end?.reason != whole.end {
            faults.append("rows \(database.rows) of \(chain) instead of \(whole)")
        }
        count.pages += chain.pages
        return random
    }

    /// What an operator does about an end once no export runs.
    ///
    /// - Returns: false if nothing is to be done.
    private mutating func goOn() -> Bool {
        let chain = database.chain
        switch chain.end?.reason {
        case nil: break
        case .pageError, .pageExpired: database.reopen()
        case .submitUnknown:
            count.doubts += 1
            // A truthful one: knows from the API's own history whether there is such a run.
            let unknown = api.started.values.joined().filter { !database.knows($0) }
            if let runID = unknown.first, let attempt = chain.attempt {
                _ = database.record(runID, intentID: attempt.intentID, at: now)
            } else if !database.resolveNotSent() {
                faults.append("nothing to resolve: \(chain)")
            }
            if unknown.count > 1 { faults.append("\(unknown.count) runs that nobody knows") }
        case .lastPage, .emptyPages, .repeatedCursor, .maxPages: return false
        case .refused: faults.append("a bulk read was refused")
        }
        return true
    }

    // MARK: Exports

    private mutating func begin() {
        exportIDs += 1
        database.locks.insert(exportIDs)
        var follower = PageFollower(database.chain, inputsHash: PagingFixture.inputsHash)
        let known: ActionDescription? = random.happens(0.5) ? .found(actionType: "read_bulk") : nil
        exports.append(
            ModelExport(id: exportIDs, follower: follower, step: .perform(follower.begin(known, at: now))))
        exports[exports.count - 1].follower = follower
    }

    private mutating func finish(_ index: Int) {
        database.locks.remove(exports[index].id)
        exports.remove(at: index)
    }

    private mutating func step(_ index: Int) {
        // What the follower wants sent is sent without a moment's delay.
        if random.happens(0.002), !exports[index].step.isPost { exports[index].isEnding = true }
        if random.happens(killing) {
            count.kills += 1
            count.killedAt.insert(exports[index].step.name)
            return finish(index)
        }
        switch exports[index].step {
        case .tell(.done): finish(index)
        case .tell(let event): exports[index].step = .perform(tell(event, to: index))
        case .perform(let action):
            if let event = perform(action, of: index) {
                exports[index].step = .tell(event)
            } else {
                finish(index)
            }
        }
    }

    private mutating func tell(_ event: ModelExport.Event, to index: Int) -> PageFollower.Action {
        let chance = random.unit()
        let mayPost = !exports[index].isEnding
        switch event {
        case .lookedUp(let description): return exports[index].follower.lookedUp(description, at: now)
        case .slotTaken(let id): return exports[index].follower.slotTaken(intentID: id)
        case .intended(let other): return exports[index].follower.intended(other, mayPost: mayPost, at: now)
        case .posted(let outcome): return exports[index].follower.posted(outcome, at: now, random: chance)
        case .withdrawn: return exports[index].follower.withdrawn()
        case .recorded(let chain): return exports[index].follower.recorded(chain, at: now)
        case .polled(let item): return .fetch(item)
        case .stored(let chain, let outcome): return exports[index].follower.stored(chain, outcome: outcome, at: now)
        case .read(let chain): return exports[index].follower.read(chain, at: now)
        case .done: return .finish
        }
    }

    /// - Returns: nil if the export goes no further.
    private mutating func perform(_ action: PageFollower.Action, of index: Int) -> ModelExport.Event? {
        now += 0.01
        switch action {
        case .lookUp: return .lookedUp(random.happens(0.02) ? nil : .found(actionType: "read_bulk"))
        case .takeSlot(let time):
            if exports[index].isEnding { return nil }
            now = max(now, time ?? now)
            return .slotTaken(random.uuid())
        case .suspend(let time):
            if exports[index].isEnding { return nil }
            now = max(now, time)
            return .slotTaken(random.uuid())
        case .writeIntent(let submission):
            switch database.write(submission, exportID: exports[index].id, at: now) {
            case .written:
                if let time = database.chain.resumeAt, time > now {
                    faults.append("page \(submission.pageNumber) is asked for before its time")
                }
                return .intended(nil)
            case .ahead(let chain): return .intended(chain)
            case .violation:
                faults.append("a second intent: \(submission)")
                return nil
            }
        case .post(let submission):
            if exports[index].isEnding { faults.append("a POST of an export that is ending: \(submission)") }
            let outcome = post(submission, of: index)
            // The connection that holds the lock breaks: to others the export is over, until it connects again to
            // record the run or to take the intent back.
            if random.happens(0.05) { database.locks.remove(exports[index].id) }
            return .posted(outcome)
        case .record(let submission, let runID):
            database.locks.insert(exports[index].id)
            return .recorded(database.record(runID, intentID: submission.intentID, at: now))
        case .withdraw(let submission):
            database.locks.insert(exports[index].id)
            database.withdraw(submission.intentID)
            return .withdrawn
        case .fetch(let item): return fetch(item)
        case .lookAgain(let time):
            count.waits += 1
            now = max(now, time)
            return .read(database.chain)
        case .end(let end, let failedAttempts, let intentID):
            database.end(
                end, failedAttempts: failedAttempts, intentID: intentID, seen: exports[index].follower.chain)
            return .done
        case .leave, .finish: return .done
        }
    }

    private mutating func fetch(_ item: RunItem) -> ModelExport.Event {
        let runID = item.key.runID
        // Two exports may be at one page; one alone is never at a page that it has.
        if exportsAtOnce == 1, database.isFinished(runID) { faults.append("page \(runID) is fetched again") }
        if random.happens(0.03) {
            return .stored(database.store(runID, .failed, at: now), .failed)
        }
        switch api.answer(runID) {
        case .pending:
            _ = database.store(runID, .pending, at: now)
            return .polled(item)
        case .gone: return .stored(database.store(runID, .expired, at: now), .expired)
        case .success(let page):
            return .stored(database.store(runID, .success, rows: page.rows, cursor: page.cursor, at: now), .success)
        case .error(let delay):
            return .stored(database.store(runID, .error, throttledFor: delay, at: now), .error)
        }
    }

    // MARK: The POST

    private mutating func post(_ submission: PageFollower.Submission, of index: Int) -> SubmitOutcome {
        count.posts += 1
        check(submission)
        switch random.unit() {
        case ..<0.70: return .started(runID: start(submission))
        // Lost on its way, or its answer on the way back.
        case ..<0.78:
            count.lost += 1
            if random.happens(0.5) { _ = start(submission) }
            return .inDoubt("lost")
        case ..<0.84: return .throttled
        case ..<0.90: return .unavailable(retryAfter: random.happens(0.5) ? .seconds(3) : nil)
        case ..<0.95: return .notSent(notBefore: now + 1)
        case ..<0.97: return .refused("422")
        // A run of old.
        case ..<0.98:
            count.lost += 1
            return .started(runID: PagingFixture.root.runID)
        default:
            exports[index].isEnding = true
            return .stopped
        }
    }

    private mutating func start(_ submission: PageFollower.Submission) -> UUID {
        let runID = api.start(submission, random: &random)
        let key = ModelDatabase.IntentKey(cursor: submission.cursor, attempt: submission.attempt)
        if let runs = api.started[key], runs.count > 1 {
            faults.append("\(key) was started \(runs.count) times")
        }
        return runID
    }

    /// What has to hold whenever a POST leaves.
    private mutating func check(_ submission: PageFollower.Submission) {
        let chain = database.chain
        let key = ModelDatabase.IntentKey(cursor: submission.cursor, attempt: submission.attempt)
        if database.intents[key]?.id != submission.intentID || database.intents[key]?.runID != nil {
            faults.append("a POST without its intent: \(submission)")
        }
        if chain.end != nil { faults.append("a POST for a chain with an end: \(chain)") }
        if chain.attempt?.intentID != submission.intentID {
            faults.append("a POST for a page that is not the next one: \(submission) of \(chain)")
        }
        if let unknown = api.started.values.joined().first(where: { !database.knows($0) }) {
            faults.append("a POST while nobody knows of \(unknown), which is started: \(submission)")
        }
    }
}

extension ModelExport.Step {
    fileprivate var isPost: Bool {
        if case .perform(.post) = self { true } else { false }
    }

    /// The step's kind, without its values.
    fileprivate var name: String {
        switch self {
        case .perform(let action): "before \(Self.kind(of: action))"
        case .tell(let event): "after \(Self.kind(of: event))"
        }
    }

    private static func kind(of value: Any) -> String {
        Mirror(reflecting: value).children.first?.label ?? "\(value)"
    }
}
