import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("What the scheduler takes from the work list, and puts back")
struct SchedulerBacklogTests {
    private let now = SchedulerTests.now

    @Test("A queue is taken a batch at a time, and the next batch is there before the first has run out")
    func batches() {
        let items = (1...5).map { SchedulerTests.item($0) }
        var scheduler = ScheduledExport.withoutChains(
            Scheduler.Options(concurrency: 2, maxWait: .seconds(600), batchSize: 3))
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(), status: 200, at: now)
        }
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, Array(items[0..<3]))
        #expect(scheduler.next(at: now) == .read(.first))
        #expect(scheduler.next(at: now) == .fetch(items[0]))
        scheduler.hasRead(.first, [items[3]])
        var asked: [RunItem] = []
        while case .fetch(let item) = scheduler.next(at: now) {
            asked.append(item)
            SchedulerTests.finish(item, in: &scheduler)
        }
        #expect(asked == [items[1], items[2], items[3]])
    }

    @Test("Polls that memory has no room for go back to the work list, and come from there once it has")
    func pollsElsewhere() {
        let items = (1...4).map { SchedulerTests.item($0) }
        var scheduler = ScheduledExport.withoutChains(
            Scheduler.Options(concurrency: 1, maxWait: .seconds(600), batchSize: 2))
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(), status: 200, at: now)
        }
        var batches = [Array(items[0..<2]), Array(items[2..<4]), []]
        var late = false
        var asked = 0
        var shelved: [PollDue] = []
        loop: while true {
            switch scheduler.next(at: now) {
            case .fetch(let item):
                asked += 1
                scheduler.settle(.reads) { $0.answered(RateLimitHeaders(), status: 200, at: now) }
                scheduler.returned(item)
                scheduler.gathered()
                if let poll = scheduler.committed(item, pollAt: now + Double(asked)) { shelved.append(poll) }
            case .read(.first): scheduler.hasRead(.first, batches.removeFirst())
            case .read(.late):
                late = true
                scheduler.hasRead(.late, [])
            case .read(.suspects): scheduler.hasRead(.suspects, [])
            case .read(.polls): Issue.record("polls are in memory still")
            case .lookUp, .post, .lookAgain, .read(.chains), .read(.storedPages), .open:
                Issue.record("the export has no chains and nothing left to open")
            case .wait, .done: break loop
            }
        }
        #expect(asked == 4)
        #expect(late)
        #expect(shelved.map(\.item) == Array(items[2...]))
        // Two fit; when they are done, the others come from the work list.
        for expected in items[0..<2] {
            #expect(scheduler.next(at: now + 10) == .fetch(expected))
            SchedulerTests.finish(expected, in: &scheduler, at: now + 10)
        }
        #expect(scheduler.next(at: now + 10) == .read(.polls))
        scheduler.hasRead(polls: shelved)
        #expect(scheduler.next(at: now + 10) == .fetch(items[2]))
    }

    @Test("Fetching begins while the export is being opened; runs past their time, polls and the end wait for the rest")
    func opening() {
        let (fresh, late, later) = (
            SchedulerTests.item(1), SchedulerTests.item(2, expiresInHours: -1), SchedulerTests.item(3)
        )
        var scheduler = ScheduledExport(
            Scheduler.Options(concurrency: 1, maxWait: .seconds(600), batchSize: 100), filled: [.first, .late],
            isOpening: true)
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(), status: 200, at: now)
        }
        #expect(scheduler.next(at: now) == .open)
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, [fresh])
        #expect(scheduler.next(at: now) == .fetch(fresh))
        SchedulerTests.finish(fresh, in: &scheduler)
        #expect(scheduler.next(at: now) == .wait(until: nil))
        scheduler.opened(OpenedStep(filled: [.first], isLast: true))
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, [later])
        #expect(scheduler.next(at: now) == .fetch(later))
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [late])
        SchedulerTests.finish(later, in: &scheduler)
        #expect(scheduler.next(at: now) == .fetch(late))
        SchedulerTests.finish(late, in: &scheduler)
        #expect(scheduler.next(at: now) == .done)
    }

    @Test("While the export is being opened, few runs are asked for between two steps")
    func openingFirst() {
        let items = (0..<200).map { SchedulerTests.item($0) }
        var scheduler = ScheduledExport(
            Scheduler.Options(concurrency: 300, maxWait: .zero, batchSize: 1000), filled: [.first], isOpening: true)
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(), status: 200, at: now)
        }
        func ask() -> Int {
            var asked = 0
            while case .fetch = scheduler.next(at: now) { asked += 1 }
            return asked
        }
        #expect(scheduler.next(at: now) == .open)
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, items)
        #expect(ask() == Backlog.allowanceOfStep)
        scheduler.opened(OpenedStep(filled: [], isLast: false))
        #expect(scheduler.next(at: now) == .open)
        #expect(ask() == Backlog.allowanceOfStep)
        scheduler.opened(OpenedStep(filled: [], isLast: true))
        #expect(ask() == 200 - 2 * Backlog.allowanceOfStep)
    }

    @Test("What a step adds to a queue while a batch of it is being taken is not forgotten")
    func missedItems() {
        var scheduler = ScheduledExport(
            Scheduler.Options(concurrency: 1, maxWait: .zero, batchSize: 100), filled: [.first], isOpening: true)
        #expect(scheduler.next(at: now) == .open)
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.opened(OpenedStep(filled: [.first], isLast: true))
        scheduler.hasRead(.first, [])
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, [])
        #expect(scheduler.next(at: now) == .done)
    }
}
