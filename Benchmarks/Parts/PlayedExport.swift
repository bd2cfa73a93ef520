import ActionsAPI
import ExportCore
import Foundation

/// A whole export by the real machine, whose every request and commit succeeds at once.
struct PlayedExport {
    private typealias Event = ExportMachine.Event

    private let items: [RunItem]
    private var read = 0
    private var stored = 0
    private let now = Sample.receivedAt
    private let answer = RunAnswer(APIResponse(status: 200, body: Sample.body(objects: 5)), runID: Sample.runID)
    private let head: ReplyHead
    private var events: [Event] = []
    /// Of the next event to be handled: to remove it would move all others.
    private var nextEvent = 0

    init(runs: Int) {
        let now = now
        items = (0..<runs).map { number in
            RunItem(
                key: RunKey(storedActionID: Sample.runID, runID: Sample.id(number)),
                executedAt: now - 86_400, expiresAt: now + 86_400 + TimeInterval(number))
        }
        head = ReplyHead(status: 200, headers: RateLimitHeaders(), at: now)
    }

    /// - Returns: runs that were committed.
    mutating func play() -> Int {
        var machine = ExportMachine(
            options: ExportOptions(), opened: OpenedStep(filled: [.first], isLast: true), witnesses: [], deadline: nil,
            random: { 0.5 }, newID: { Sample.runID })
        var effects = machine.begin(at: now)
        var wake: Date?
        while true {
            for effect in effects {
                switch effect {
                case .fetch(let item): fetch(item)
                case .store(let work): perform(work)
                case .wake(let time): wake = time
                case .finish: return stored
                case .lookUp, .post, .shelve, .cancelReads, .cancelPosts, .log: break
                }
            }
            if nextEvent == events.count {
                guard let time = wake else { return stored }
                wake = nil
                effects = machine.handle(.woke, at: time)
            } else {
                nextEvent += 1
                effects = machine.handle(events[nextEvent - 1], at: now)
            }
        }
    }

    private mutating func fetch(_ item: RunItem) {
        events.append(.headArrived(.run(item.key), head))
        events.append(.fetched(item, .answered(answer, ReplyDetails(head: head)), at: now))
    }

    private mutating func perform(_ work: ExportMachine.DatabaseWork) {
        switch work {
        case .read(.first, let limit):
            events.append(.queueRead(.first, .success(Array(items[read...].prefix(limit)))))
            read = min(items.count, read + limit)
        case .read(.polls, _): events.append(.pollsRead(.success([])))
        case .read(.chains, _): events.append(.chainsRead(.success([]), taken: 0))
        case .read(let queue, _): events.append(.queueRead(queue, .success([])))
        case .commit(let batch, _):
            stored += batch.count
            events.append(.committed(.success(batch.map(Self.commit))))
        case .open, .prepare, .write, .remember: break
        }
    }

    private static func commit(_ run: FetchedRun) -> Commit {
        var item = run.item
        item.requests = 0
        return Commit(
            item: item, outcome: run.verdict.outcome, rule: .replace, results: run.resultCount, errors: 0,
            bundledErrors: 0, rejects: 0)
    }
}
