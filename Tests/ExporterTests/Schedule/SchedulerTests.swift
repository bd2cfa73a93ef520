import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Which run is asked for next")
struct SchedulerTests {
    static let now = Date(timeIntervalSince1970: 1_800_000_000)
    let now = Self.now

    /// An item that expires in so many hours.
    static func item(_ number: Int, expiresInHours hours: Double = 24) -> RunItem {
        RunItem(
            key: RunKey(
                storedActionID: UUID(uuidString: "4f4e0000-0000-4000-8000-000000000001")!,
                runID: UUID(uuidString: "00000000-0000-4000-8000-" + String(format: "%012d", number))!),
            expiresAt: now + hours * 3600)
    }

    /// A scheduler whose API sends no rate headers, and whose `first` queue holds these items and no others.
    static func scheduler(
        _ items: [RunItem], late: [RunItem] = [], concurrency: Int = 1, maxWait: Duration = .seconds(600)
    ) -> ScheduledExport {
        var scheduler = ScheduledExport.withoutChains(
            Scheduler.Options(concurrency: concurrency, maxWait: maxWait, batchSize: 100))
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(), status: 200, at: now)
        }
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, items)
        if items.isEmpty {
            #expect(scheduler.next(at: now) == .read(.late))
            scheduler.hasRead(.late, late)
        }
        return scheduler
    }

    /// The item's request came back and its state is committed.
    static func finish(_ item: RunItem, pollAt: Date? = nil, in scheduler: inout ScheduledExport, at time: Date = now) {
        scheduler.settle(.reads) { $0.answered(RateLimitHeaders(), status: 200, at: time) }
        scheduler.returned(item)
        scheduler.gathered()
        scheduler.committed(item, pollAt: pollAt)
    }

    @Test("The earliest expiry goes first, as the queue has it")
    func order() {
        let items = [Self.item(1, expiresInHours: 1), Self.item(2, expiresInHours: 2), Self.item(3, expiresInHours: 3)]
        var scheduler = Self.scheduler(items)
        for item in items {
            #expect(scheduler.next(at: now) == .fetch(item))
            Self.finish(item, in: &scheduler)
        }
    }

    @Test("No more requests are in flight than --concurrency allows")
    func concurrency() {
        let items = (1...4).map { Self.item($0) }
        var scheduler = Self.scheduler(items, concurrency: 2)
        #expect(scheduler.next(at: now) == .fetch(items[0]))
        #expect(scheduler.next(at: now) == .fetch(items[1]))
        #expect(scheduler.next(at: now) == .wait(until: nil))
        Self.finish(items[0], in: &scheduler)
        #expect(scheduler.next(at: now) == .fetch(items[2]))
    }

    @Test("A probe is one request at a time, of a run that has not failed and from the far end; then all go on")
    func probes() {
        let items = (1...5).map { Self.item($0, expiresInHours: Double($0)) }
        var scheduler = Self.scheduler(Array(items[1...]), concurrency: 3)
        scheduler.retry(items[0], at: now)
        guard let first = scheduler.loseConnection(at: now) else {
            Issue.record("the API is given up")
            return
        }
        #expect(first > now)
        #expect(scheduler.next(at: now) == .wait(until: first))
        #expect(scheduler.next(at: first) == .fetch(items[4]))
        #expect(scheduler.next(at: first) == .wait(until: nil))
        scheduler.settle(.reads) { $0.notSent(at: first) }
        scheduler.returned(items[4])
        guard let second = scheduler.loseConnection(at: first + 1) else {
            Issue.record("the API is given up")
            return
        }
        scheduler.retry(items[4], at: second)
        #expect(scheduler.next(at: second) == .fetch(items[3]))
        Self.finish(items[3], in: &scheduler, at: now + 21)
        scheduler.findConnection(at: now + 21)
        for item in [items[0], items[1], items[2]] { #expect(scheduler.next(at: now + 21) == .fetch(item)) }
    }

    @Test("A look-up that tells whose token it is goes before all else, takes its slot, and is something left to do")
    func lookUpFirst() {
        let action = UUID()
        var scheduler = Self.scheduler([Self.item(1, expiresInHours: 0.1), Self.item(2)], concurrency: 2)
        scheduler.change { $0.lookUpFirst(action) }
        #expect(scheduler.next(at: now) == .lookUp(action))
        #expect(scheduler.next(at: now) == .fetch(Self.item(1, expiresInHours: 0.1)))
        #expect(scheduler.next(at: now) == .wait(until: nil))
        scheduler.change { $0.lookUpReturned() }
        #expect(scheduler.next(at: now) == .fetch(Self.item(2)))

        var spent = Self.scheduler([])
        spent.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(limit: 10, remaining: 0, resetsIn: .seconds(60)), status: 200, at: now)
        }
        spent.change { $0.lookUpFirst(action) }
        guard case .wait(let time?) = spent.next(at: now) else {
            Issue.record("the look-up did not wait for its slot")
            return
        }
        #expect(time >= now + 60)
        #expect(spent.next(at: time) == .lookUp(action))
    }

    @Test("A retry whose time has come stands beside the first fetches by its expiry")
    func retries() {
        let items = [Self.item(1, expiresInHours: 2), Self.item(2, expiresInHours: 1), Self.item(3, expiresInHours: 3)]
        var scheduler = Self.scheduler(Array(items[1...]))
        scheduler.retry(items[0], at: now + 5)
        #expect(scheduler.next(at: now) == .fetch(items[1]))
        Self.finish(items[1], in: &scheduler)
        #expect(scheduler.next(at: now + 5) == .fetch(items[0]))
        Self.finish(items[0], in: &scheduler)
        #expect(scheduler.next(at: now + 5) == .fetch(items[2]))
    }

    @Test("Suspects go when all else is done but polls, one at a time, each with nothing else in flight")
    func suspects() {
        let (item, poll) = (Self.item(1), Self.item(2))
        let suspects = (3...4).map { number in
            var suspect = Self.item(number)
            suspect.isSuspect = true
            return suspect
        }
        var scheduler = ScheduledExport.withoutChains(
            Scheduler.Options(concurrency: 4, maxWait: .seconds(600), batchSize: 100),
            filled: [.first, .late, .suspects])
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(), status: 200, at: now)
        }
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, [item, poll])
        #expect(scheduler.next(at: now) == .fetch(item))
        #expect(scheduler.next(at: now) == .fetch(poll))
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [])
        Self.finish(poll, pollAt: now + 1, in: &scheduler)
        #expect(scheduler.next(at: now) == .wait(until: now + 1))
        Self.finish(item, in: &scheduler)
        #expect(scheduler.next(at: now) == .read(.suspects))
        scheduler.hasRead(.suspects, suspects)
        #expect(scheduler.next(at: now) == .fetch(suspects[0]))
        // Not even a poll that is due.
        #expect(scheduler.next(at: now + 2) == .wait(until: nil))
        scheduler.settle(.reads) { $0.answered(RateLimitHeaders(), status: 500, at: now + 2) }
        scheduler.returned(suspects[0])
        scheduler.retry(suspects[0], at: now + 10)
        // Due as well, the poll goes while the suspect waits for its next try.
        #expect(scheduler.next(at: now + 2) == .fetch(poll))
        Self.finish(poll, pollAt: now + 9, in: &scheduler, at: now + 3)
        #expect(scheduler.next(at: now + 10) == .fetch(suspects[0]))
        #expect(scheduler.next(at: now + 10) == .wait(until: nil))
        scheduler.returned(suspects[0])
        scheduler.gathered()
        // It is not done with before it is committed.
        #expect(scheduler.next(at: now + 10) == .wait(until: nil))
        scheduler.committed(suspects[0], pollAt: nil)
        #expect(scheduler.next(at: now + 10) == .fetch(suspects[1]))
        Self.finish(suspects[1], in: &scheduler, at: now + 11)
        #expect(scheduler.next(at: now + 11) == .fetch(poll))
        Self.finish(poll, in: &scheduler, at: now + 11)
        #expect(scheduler.next(at: now + 11) == .done)
    }

    @Test("A retry is waited for when nothing else is left")
    func waitsForRetry() {
        let item = Self.item(1)
        var scheduler = Self.scheduler([item])
        #expect(scheduler.next(at: now) == .fetch(item))
        scheduler.settle(.reads) { $0.lost(at: now) }
        scheduler.returned(item)
        scheduler.retry(item, at: now + 2)
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [])
        #expect(scheduler.next(at: now) == .wait(until: now + 2))
        #expect(scheduler.next(at: now + 2) == .fetch(item))
    }

    @Test("Runs past their time go last, those whose time passes while they wait included")
    func late() {
        let soon = Self.item(1, expiresInHours: 0.001)
        let good = Self.item(2, expiresInHours: 24)
        let old = Self.item(3, expiresInHours: -1)
        var scheduler = Self.scheduler([soon, good])
        let later = now + 60
        #expect(scheduler.next(at: later) == .fetch(good))
        #expect(scheduler.next(at: later) == .read(.late))
        scheduler.hasRead(.late, [old])
        Self.finish(good, in: &scheduler, at: later)
        #expect(scheduler.next(at: later) == .fetch(soon))
        Self.finish(soon, in: &scheduler, at: later)
        #expect(scheduler.next(at: later) == .fetch(old))
    }

    @Test("A retry of a run past its time goes last too")
    func lateRetry() {
        let good = Self.item(1), old = Self.item(2, expiresInHours: -1)
        var scheduler = Self.scheduler([good])
        scheduler.retry(old, at: now)
        #expect(scheduler.next(at: now) == .fetch(good))
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [])
        Self.finish(good, in: &scheduler)
        #expect(scheduler.next(at: now) == .fetch(old))
    }

    @Test("A poll that is due does not keep a first fetch waiting")
    func polls() {
        let unfinished = Self.item(1), fresh = Self.item(2)
        var scheduler = Self.scheduler([unfinished, fresh])
        #expect(scheduler.next(at: now) == .fetch(unfinished))
        Self.finish(unfinished, pollAt: now + 1, in: &scheduler)
        #expect(scheduler.next(at: now + 5) == .fetch(fresh))
        Self.finish(fresh, in: &scheduler, at: now + 5)
        #expect(scheduler.next(at: now + 5) == .read(.late))
        scheduler.hasRead(.late, [])
        #expect(scheduler.next(at: now + 5) == .fetch(unfinished))
    }

    @Test("Runs past their time do not keep a poll waiting")
    func pollsBeforeLate() {
        let unfinished = Self.item(1), old = Self.item(2, expiresInHours: -1)
        var scheduler = Self.scheduler([unfinished])
        #expect(scheduler.next(at: now) == .fetch(unfinished))
        Self.finish(unfinished, pollAt: now + 1, in: &scheduler)
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [old])
        #expect(scheduler.next(at: now + 1) == .fetch(unfinished))
    }

    @Test("Polling ends --max-wait after nothing else was left")
    func maxWait() {
        let item = Self.item(1)
        var scheduler = Self.scheduler([item], maxWait: .seconds(10))
        #expect(scheduler.next(at: now) == .fetch(item))
        Self.finish(item, pollAt: now + 4, in: &scheduler)
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [])
        #expect(scheduler.next(at: now) == .wait(until: now + 4))
        #expect(scheduler.next(at: now + 4) == .fetch(item))
        Self.finish(item, pollAt: now + 9, in: &scheduler, at: now + 5)
        #expect(scheduler.next(at: now + 5) == .wait(until: now + 9))
        #expect(scheduler.next(at: now + 9) == .fetch(item))
        // The next poll would come after the end: it is not waited for.
        Self.finish(item, pollAt: now + 20, in: &scheduler, at: now + 9)
        #expect(scheduler.next(at: now + 9) == .done)
    }

    @Test("--max-wait 0 polls nothing again")
    func noPolls() {
        let items = [Self.item(1), Self.item(2)]
        var scheduler = Self.scheduler(items, maxWait: .zero)
        #expect(scheduler.next(at: now) == .fetch(items[0]))
        Self.finish(items[0], pollAt: now, in: &scheduler)
        #expect(scheduler.next(at: now) == .fetch(items[1]))
        Self.finish(items[1], pollAt: now, in: &scheduler)
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [])
        #expect(scheduler.next(at: now) == .done)
    }

    @Test("The export is not over while an answer waits for its commit")
    func uncommitted() {
        let item = Self.item(1)
        var scheduler = Self.scheduler([item])
        #expect(scheduler.next(at: now) == .fetch(item))
        scheduler.settle(.reads) { $0.answered(RateLimitHeaders(), status: 200, at: now) }
        scheduler.returned(item)
        scheduler.gathered()
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [])
        #expect(scheduler.next(at: now) == .wait(until: now + 600))
        scheduler.committed(item, pollAt: nil)
        #expect(scheduler.next(at: now) == .done)
    }

    @Test("While it is paused nothing goes out")
    func pause() {
        let item = Self.item(1)
        var scheduler = Self.scheduler([item])
        scheduler.pause(until: now + 3)
        #expect(scheduler.next(at: now) == .wait(until: now + 3))
        #expect(scheduler.next(at: now + 3) == .fetch(item))
    }

    @Test("An export of nothing is over at once")
    func nothing() {
        var scheduler = Self.scheduler([])
        #expect(scheduler.next(at: now) == .done)
    }

    @Test("After a stop nothing new goes out, and what is in flight is waited for")
    func stop() {
        let items = [Self.item(1), Self.item(2)]
        var scheduler = Self.scheduler(items)
        #expect(scheduler.next(at: now) == .fetch(items[0]))
        scheduler.change { $0.stop() }
        #expect(scheduler.next(at: now) == .wait(until: nil))
        Self.finish(items[0], in: &scheduler)
        #expect(scheduler.next(at: now) == .done)
    }
}
