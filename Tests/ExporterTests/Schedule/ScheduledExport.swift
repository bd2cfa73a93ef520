import ActionsAPI
import Foundation

@testable import ExportCore

/// A scheduler with the traffic that its requests pass through.
@dynamicMemberLookup
struct ScheduledExport {
    private var scheduler: Scheduler
    private var exchange: Exchange

    init(
        _ options: Scheduler.Options, budgetShare: Double = 1, filled: Set<WorkQueue> = [.first, .late, .chains],
        isOpening: Bool = false
    ) {
        scheduler = Scheduler(options: options, opened: OpenedStep(filled: filled, isLast: !isOpening))
        exchange = Exchange(budgetShare: budgetShare, longestGap: .seconds(600), random: { 0 })
    }

    /// Whose manifest asks for no pages.
    static func withoutChains(
        _ options: Scheduler.Options, filled: Set<WorkQueue> = [.first, .late]
    ) -> ScheduledExport {
        ScheduledExport(options, filled: filled)
    }

    subscript<T>(dynamicMember path: KeyPath<Scheduler, T>) -> T { scheduler[keyPath: path] }

    mutating func next(at now: Date) -> Scheduler.Step { scheduler.next(at: now, through: &exchange) }

    /// An event of the scheduler itself.
    mutating func change<R>(_ change: (inout Scheduler) -> R) -> R { change(&scheduler) }

    mutating func settle(_ bucket: Bucket, _ change: (inout RateBudget) -> Void) { exchange.settle(bucket, change) }

    /// A request found no connection.
    ///
    /// - Returns: when the next one may leave; nil if the API is given up.
    mutating func loseConnection(at now: Date) -> Date? {
        if case .again(let time) = lookUp(.failed(TransportError(.notConnected, "refused")), at: now) { return time }
        return nil
    }

    /// A request was answered.
    mutating func findConnection(at now: Date) {
        let head = ReplyHead(status: 200, headers: RateLimitHeaders(), at: now)
        _ = lookUp(.answered(.pending, ReplyDetails(head: head)), at: now)
    }

    private mutating func lookUp(_ reply: Reply<RunAnswer>, at now: Date) -> Exchange.Heard<RunAnswer> {
        let id = RequestID.lookUp(LedgerFixture.storedActionID)
        exchange.settle(.reads) { _ = $0.request(at: now) }
        exchange.asked(id, at: now)
        return exchange.heard(reply, to: id, Exchange.Moment(time: now, now: now, inFlight: 0, chance: 0))
    }

    /// The API has not answered yet: nothing leaves before then.
    mutating func pause(until time: Date) { exchange.pause(until: time) }

    mutating func hasRead(_ queue: WorkQueue, _ items: [RunItem]) { scheduler.hasRead(queue, items) }
    mutating func hasRead(polls: [PollDue]) { scheduler.hasRead(polls: polls) }
    mutating func hasRead(chains count: Int) { scheduler.hasRead(chains: count) }
    mutating func opened(_ step: OpenedStep) { scheduler.opened(step) }
    mutating func returned(_ item: RunItem) { scheduler.returned(item) }
    mutating func retry(_ item: RunItem, at due: Date) { scheduler.retry(item, at: due) }
    mutating func gathered() { scheduler.gathered() }
    @discardableResult
    mutating func committed(_ item: RunItem, pollAt: Date?) -> PollDue? { scheduler.committed(item, pollAt: pollAt) }
    mutating func add(_ request: ChainQueue.Request, at time: Date? = nil, isNew: Bool = false) {
        scheduler.add(request, at: time, isNew: isNew)
    }
    @discardableResult
    mutating func wait(for request: ChainQueue.Request, until time: Date) -> Bool {
        scheduler.wait(for: request, until: time)
    }
}
