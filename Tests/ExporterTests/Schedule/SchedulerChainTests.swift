import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The schedule with chains of pages")
struct SchedulerChainTests {
    private let now = SchedulerTests.now
    private static let root = LedgerFixture.key(900)
    private static let action = LedgerFixture.storedActionID

    /// With both buckets open, nothing in the database, and these runs to fetch.
    private func scheduler(
        _ first: [RunItem] = [], concurrency: Int = 8, maxWait: Duration = .seconds(600)
    ) -> ScheduledExport {
        var scheduler = ScheduledExport.withoutChains(
            Scheduler.Options(concurrency: concurrency, maxWait: maxWait))
        scheduler.settle(.reads) { budget in
            _ = budget.request(at: now)
            budget.answered(RateLimitHeaders(), status: 200, at: now)
        }
        #expect(scheduler.next(at: now) == .read(.first))
        openRuns(&scheduler, RateLimitHeaders())
        scheduler.hasRead(.first, first)
        if first.isEmpty {
            #expect(scheduler.next(at: now) == .read(.late))
            scheduler.hasRead(.late, [])
        }
        return scheduler
    }

    /// One POST that was answered with these headers.
    private func openRuns(_ scheduler: inout ScheduledExport, _ headers: RateLimitHeaders) {
        scheduler.add(.post(Self.root))
        #expect(scheduler.next(at: now) == .post(Self.root))
        scheduler.change { $0.postReturned() }
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
        scheduler.add(.post(Self.root))
        scheduler.add(.fetch(page(3)))
        #expect(scheduler.next(at: now) == .fetch(soon))
        #expect(scheduler.next(at: now) == .fetch(page(3)))
        #expect(scheduler.next(at: now) == .post(Self.root))
        #expect(scheduler.next(at: now) == .fetch(late))
    }

    @Test("A chain that has begun goes before one that has not")
    func begunFirst() {
        var scheduler = scheduler()
        scheduler.add(.post(LedgerFixture.key(901)), isNew: true)
        scheduler.add(.post(Self.root))
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
        scheduler.add(.post(Self.root))
        scheduler.add(.fetch(page))
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
        scheduler.add(.post(Self.root))
        #expect(scheduler.next(at: now) == .post(Self.root))
    }

    @Test("Look-ups and pages share the requests in flight with all others")
    func concurrency() {
        var scheduler = scheduler([item(1, expiresIn: 100)], concurrency: 2)
        scheduler.add(.lookUp(Self.action))
        scheduler.add(.post(Self.root))
        #expect(scheduler.next(at: now) == .lookUp(Self.action))
        #expect(scheduler.next(at: now) == .post(Self.root))
        guard case .read(.late) = scheduler.next(at: now) else {
            // Nothing may leave; only the database is asked.
            #expect(scheduler.requestsInFlight == 2)
            scheduler.change { $0.lookUpReturned() }
            #expect(scheduler.next(at: now) == .fetch(item(1, expiresIn: 100)))
            return
        }
        Issue.record("late runs are read only when there are no others")
    }

    @Test("An export does not end while the database is at a step of a chain")
    func writes() {
        var scheduler = scheduler()
        scheduler.change { $0.writeBegins() }
        #expect(scheduler.next(at: now) == .wait(until: nil))
        scheduler.change { $0.writeEnds() }
        #expect(scheduler.next(at: now) == .done)
    }

    @Test("A page that is asked for begins the wait of --max-wait again")
    func waitBeginsAnew() {
        var scheduler = scheduler(maxWait: .seconds(100))
        scheduler.wait(for: .post(Self.root), until: now + 90)
        #expect(scheduler.next(at: now) == .wait(until: now + 90))
        #expect(scheduler.next(at: now + 90) == .post(Self.root))
        scheduler.change { $0.postReturned() }
        scheduler.settle(.runs) { $0.answered(RateLimitHeaders(), status: 201, at: now + 90) }
        scheduler.wait(for: .post(Self.root), until: now + 180)
        #expect(scheduler.next(at: now + 91) == .wait(until: now + 180))
        #expect(scheduler.next(at: now + 180) == .post(Self.root))
    }

    @Test("A wait that would end after --max-wait is not waited for")
    func waitTooLong() {
        var scheduler = scheduler(maxWait: .seconds(100))
        scheduler.wait(for: .post(Self.root), until: now + 101)
        #expect(scheduler.next(at: now) == .done)
    }

    @Test("A chain that opens while a batch of chains is read is not forgotten")
    func missedChain() {
        var scheduler = ScheduledExport(Scheduler.Options(concurrency: 1, maxWait: .zero))
        #expect(scheduler.next(at: now) == .read(.first))
        #expect(scheduler.next(at: now) == .read(.chains))
        let mayFollowWhileReading = scheduler.change { $0.mayFollow() }
        #expect(mayFollowWhileReading == false)
        scheduler.hasRead(chains: 0)
        #expect(scheduler.next(at: now) == .read(.chains))
        scheduler.hasRead(chains: 0)
        let mayFollowAfterwards = scheduler.change { $0.mayFollow() }
        #expect(mayFollowAfterwards == true)
    }

    @Test("With --refetch stored pages are read a batch at a time, and asked for after all that is new")
    func storedPages() {
        var options = Scheduler.Options(concurrency: 1, maxWait: .zero, batchSize: 2)
        options.refetch = true
        var scheduler = ScheduledExport.withoutChains(options, filled: [.first, .late, .storedPages])
        let run = item(9, expiresIn: 100)
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, [run])
        #expect(scheduler.next(at: now) == .read(.storedPages))
        var pages = [page(1), page(2)]
        for index in pages.indices { pages[index].page?.isRefetch = true }
        scheduler.hasRead(.storedPages, pages)
        for item in [run] + pages {
            guard case .fetch(let next) = afterRefills(&scheduler) else {
                Issue.record("\(item.key) is to be fetched")
                return
            }
            #expect(next == item)
            #expect(scheduler.hasPagesToRefetch == (item != pages[1]))
            scheduler.settle(.reads) { $0.answered(RateLimitHeaders(), status: 200, at: now) }
            scheduler.returned(item)
        }
        #expect(afterRefills(&scheduler) == .done)
        #expect(scheduler.hasPagesToRefetch == false)
    }

    /// The next step once the work list has turned out to hold nothing more.
    private func afterRefills(_ scheduler: inout ScheduledExport) -> Scheduler.Step {
        while true {
            switch scheduler.next(at: now) {
            case .read(let queue):
                scheduler.hasRead(queue, [])
            case let step: return step
            }
        }
    }

    @Test("Chains that wait hold up no others, and only so many wait in memory")
    func waitingChains() {
        var scheduler = ScheduledExport(Scheduler.Options(concurrency: 1, maxWait: .seconds(600), batchSize: 2))
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, [])
        #expect(scheduler.next(at: now) == .read(.chains))
        scheduler.hasRead(chains: 6)
        scheduler.change { $0.follows(4) }
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [])
        for number in 1...2 {
            let isWaitedFor = scheduler.wait(for: .post(LedgerFixture.key(number)), until: now + 60)
            #expect(isWaitedFor)
        }
        let isThirdWaitedFor = scheduler.wait(for: .post(LedgerFixture.key(3)), until: now + 60)
        #expect(!isThirdWaitedFor)
        // Of the four, two wait: others may come.
        #expect(scheduler.next(at: now) == .read(.chains))
    }

    @Test("An export whose chains are more than fit in memory ends when nothing is left but to wait")
    func fullOfChains() {
        var scheduler = ScheduledExport(Scheduler.Options(concurrency: 1, maxWait: .zero, batchSize: 2))
        #expect(scheduler.next(at: now) == .read(.first))
        scheduler.hasRead(.first, [])
        #expect(scheduler.next(at: now) == .read(.chains))
        scheduler.hasRead(chains: 6)
        scheduler.change { $0.follows(6) }
        #expect(scheduler.next(at: now) == .read(.late))
        scheduler.hasRead(.late, [])
        #expect(scheduler.next(at: now) == .done)
    }
}
