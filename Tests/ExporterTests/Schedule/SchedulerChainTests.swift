import ActionsAPI
import Foundation
import Testing

@testable import Exporter

@Suite("The schedule with chains of pages")
struct SchedulerChainTests {
    private let now = SchedulerTests.now
    private static let root = LedgerFixture.key(900)
    private static let action = LedgerFixture.storedActionID

    /// With both buckets open, nothing in the database, and these runs to fetch.
    private func scheduler(
        _ first: [RunItem] = [], concurrency: Int = 8, maxWait: Duration = .seconds(600)
    ) -> Scheduler {
        var scheduler = Scheduler.withoutChains(
            Scheduler.Options(concurrency: concurrency, budgetShare: 1, maxWait: maxWait))
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(), status: 200, at: now)
        }
        #expect(scheduler.next(at: now) == .refill(.first, after: nil))
        openRuns(&scheduler, RateLimitHeaders())
        scheduler.refilled(.first, with: first)
        if first.isEmpty {
            #expect(scheduler.next(at: now) == .refill(.late, after: nil))
            scheduler.refilled(.late, with: [])
        }
        return scheduler
    }

    /// One POST that was answered with these headers.
    private func openRuns(_ scheduler: inout Scheduler, _ headers: RateLimitHeaders) {
        scheduler.chains.add(.post(Self.root))
        #expect(scheduler.next(at: now) == .post(Self.root))
        scheduler.postReturned()
        scheduler.settle(.runs) { $0.answered(headers, status: 201, at: now) }
    }

    private func item(_ number: Int, expiresIn hours: Double) -> RunItem {
        RunItem(key: LedgerFixture.key(number), expiresAt: now + hours * 3600)
    }

    private func page(_ number: Int) -> RunItem {
        var item = item(number, expiresIn: 168)
        item.page = PageOfChain(root: Self.root, submittedAt: now)
        return item
    }

    @Test("Runs within an hour of their expiry, then pages, then POSTs, then other runs")
    func order() {
        let (soon, late) = (item(1, expiresIn: 0.9), item(2, expiresIn: 1.1))
        var scheduler = scheduler([soon, late])
        scheduler.chains.add(.post(Self.root))
        scheduler.chains.add(.fetch(page(3)))
        #expect(scheduler.next(at: now) == .fetch(soon))
        #expect(scheduler.next(at: now) == .fetch(page(3)))
        #expect(scheduler.next(at: now) == .post(Self.root))
        #expect(scheduler.next(at: now) == .fetch(late))
    }

    @Test("A chain that has begun goes before one that has not")
    func begunFirst() {
        var scheduler = scheduler()
        scheduler.chains.add(.post(LedgerFixture.key(901)), isNew: true)
        scheduler.chains.add(.post(Self.root))
        #expect(scheduler.next(at: now) == .post(Self.root))
        #expect(scheduler.next(at: now) == .post(LedgerFixture.key(901)))
    }

    @Test("While no run may be started, reads go on; and the next window is waited for")
    func runsSpent() {
        let page = page(1)
        var scheduler = scheduler()
        let spent = RateLimitHeaders(
            limit: 5, remaining: 0, resetsIn: .seconds(60), resetInstant: now + 60, resetGrain: .finer)
        openRuns(&scheduler, spent)
        scheduler.chains.add(.post(Self.root))
        scheduler.chains.add(.fetch(page))
        #expect(scheduler.next(at: now) == .fetch(page))
        scheduler.settle(.reads) { $0.answered(RateLimitHeaders(), status: 200, at: now) }
        scheduler.returned(page)
        guard case .wait(let until?) = scheduler.next(at: now) else {
            Issue.record("a window is to be waited for")
            return
        }
        #expect(until >= now + 60)
        #expect(scheduler.isHeldByBudget)
        #expect(scheduler.next(at: until) == .post(Self.root))
    }

    @Test("While nothing may be read, runs are started")
    func readsSpent() {
        let run = item(1, expiresIn: 0.5)
        var scheduler = scheduler([run])
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(
                RateLimitHeaders(
                    limit: 5, remaining: 0, resetsIn: .seconds(60), resetInstant: now + 60, resetGrain: .finer),
                status: 200, at: now)
        }
        scheduler.chains.add(.post(Self.root))
        #expect(scheduler.next(at: now) == .post(Self.root))
    }

    @Test("Look-ups and pages share the requests in flight with all others")
    func concurrency() {
        var scheduler = scheduler([item(1, expiresIn: 100)], concurrency: 2)
        scheduler.chains.add(.lookUp(Self.action))
        scheduler.chains.add(.post(Self.root))
        #expect(scheduler.next(at: now) == .lookUp(Self.action))
        #expect(scheduler.next(at: now) == .post(Self.root))
        guard case .refill(.late, _) = scheduler.next(at: now) else {
            // Nothing may leave; only the database is asked.
            #expect(scheduler.requestsInFlight == 2)
            scheduler.lookUpReturned()
            #expect(scheduler.next(at: now) == .fetch(item(1, expiresIn: 100)))
            return
        }
        Issue.record("late runs are read only when there are no others")
    }

    @Test("An export does not end while the database is at a step of a chain")
    func writes() {
        var scheduler = scheduler()
        scheduler.chains.writes += 1
        #expect(scheduler.next(at: now) == .wait(until: nil))
        scheduler.chains.writes -= 1
        #expect(scheduler.next(at: now) == .done)
    }

    @Test("A page that is asked for begins the wait of --max-wait anew")
    func waitBeginsAnew() {
        var scheduler = scheduler(maxWait: .seconds(100))
        scheduler.chains.add(.post(Self.root), at: now + 90, isWait: true)
        #expect(scheduler.next(at: now) == .wait(until: now + 90))
        #expect(scheduler.next(at: now + 90) == .post(Self.root))
        scheduler.postReturned()
        scheduler.settle(.runs) { $0.answered(RateLimitHeaders(), status: 201, at: now + 90) }
        scheduler.chains.add(.post(Self.root), at: now + 180, isWait: true)
        #expect(scheduler.next(at: now + 91) == .wait(until: now + 180))
        #expect(scheduler.next(at: now + 180) == .post(Self.root))
    }

    @Test("A wait that would end after --max-wait is not waited for")
    func waitTooLong() {
        var scheduler = scheduler(maxWait: .seconds(100))
        scheduler.chains.add(.post(Self.root), at: now + 101, isWait: true)
        #expect(scheduler.next(at: now) == .done)
    }

    @Test("A chain that opens while a stretch of chains is read is not forgotten")
    func missedChain() {
        var scheduler = Scheduler(options: Scheduler.Options(concurrency: 1, budgetShare: 1, maxWait: .zero))
        #expect(scheduler.next(at: now) == .refill(.first, after: nil))
        #expect(scheduler.next(at: now) == .refill(.chains, after: nil))
        #expect(scheduler.mayFollow() == false)
        scheduler.refilledChains(0, limit: 10)
        #expect(scheduler.next(at: now) == .refill(.chains, after: nil))
        scheduler.refilledChains(0, limit: 10)
        #expect(scheduler.mayFollow() == true)
    }

    @Test("With --refetch stored pages are read a stretch at a time, and asked for after all that is new")
    func storedPages() {
        var options = Scheduler.Options(concurrency: 1, budgetShare: 1, maxWait: .zero, stretch: 2)
        options.refetch = true
        var scheduler = Scheduler.withoutChains(options)
        let run = item(9, expiresIn: 100)
        #expect(scheduler.next(at: now) == .refill(.first, after: nil))
        scheduler.refilled(.first, with: [run])
        #expect(scheduler.next(at: now) == .refill(.storedPages, after: nil))
        var pages = [page(1), page(2)]
        for index in pages.indices { pages[index].page?.isRefetch = true }
        scheduler.refilled(.storedPages, with: pages)
        for item in [run] + pages {
            guard case .fetch(let next) = afterRefills(&scheduler, pages: pages) else {
                Issue.record("\(item.key) is to be fetched")
                return
            }
            #expect(next == item)
            #expect(scheduler.hasStoredPages == (item != pages[1]))
            scheduler.settle(.reads) { $0.answered(RateLimitHeaders(), status: 200, at: now) }
            scheduler.returned(item)
        }
        #expect(afterRefills(&scheduler, pages: pages) == .done)
        #expect(scheduler.hasStoredPages == false)
    }

    /// The next step once the database has said that it holds nothing more.
    private func afterRefills(_ scheduler: inout Scheduler, pages: [RunItem]) -> Scheduler.Step {
        while true {
            switch scheduler.next(at: now) {
            case .refill(let queue, let cursor):
                if queue == .storedPages { #expect(cursor?.key == pages.last?.key) }
                scheduler.refilled(queue, with: [])
            case let step: return step
            }
        }
    }

    @Test("Chains that wait hold up no others, and only so many wait in memory")
    func waitingChains() {
        var scheduler = Scheduler(
            options: Scheduler.Options(concurrency: 1, budgetShare: 1, maxWait: .seconds(600), stretch: 2))
        #expect(scheduler.next(at: now) == .refill(.first, after: nil))
        scheduler.refilled(.first, with: [])
        #expect(scheduler.next(at: now) == .refill(.chains, after: nil))
        scheduler.refilledChains(6, limit: 6)
        scheduler.chains.followed = 4
        #expect(scheduler.next(at: now) == .refill(.late, after: nil))
        scheduler.refilled(.late, with: [])
        #expect(scheduler.mayWaitForChain)
        for number in 1...2 {
            scheduler.chains.add(.post(LedgerFixture.key(number)), at: now + 60, isWait: true)
        }
        #expect(scheduler.mayWaitForChain == false)
        // Of the four, two wait: others may come.
        #expect(scheduler.next(at: now) == .refill(.chains, after: nil))
    }

    @Test("An export whose chains are more than fit in memory ends when nothing is left but to wait")
    func fullOfChains() {
        var scheduler = Scheduler(
            options: Scheduler.Options(concurrency: 1, budgetShare: 1, maxWait: .zero, stretch: 2))
        #expect(scheduler.next(at: now) == .refill(.first, after: nil))
        scheduler.refilled(.first, with: [])
        #expect(scheduler.next(at: now) == .refill(.chains, after: nil))
        scheduler.refilledChains(6, limit: 6)
        scheduler.chains.followed = 6
        #expect(scheduler.next(at: now) == .refill(.late, after: nil))
        scheduler.refilled(.late, with: [])
        #expect(scheduler.next(at: now) == .done)
    }
}
