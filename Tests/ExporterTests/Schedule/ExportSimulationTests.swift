import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

/// Exports played in simulated time: the scheduler and its budget against an API with windows and a database in memory.
@Suite("Days of export, simulated")
struct ExportSimulationTests {
    struct Played {
        var seconds: Double
        var order: [RunKey]
        var refused = 0
    }

    /// Plays an export of the items, in which every request takes `latency` and is answered for good.
    static func play(
        _ items: [RunItem], limit: Int, window: Double, concurrency: Int = 32, latency: Double = 0.2
    ) -> Played {
        let start = SchedulerTests.now
        var scheduler = ScheduledExport.withoutChains(
            Scheduler.Options(concurrency: concurrency, maxWait: .zero))
        var open = Set(items.map(\.key))
        let queue = items.sorted { $0.expiresAt < $1.expiresAt }
        var answers: [(at: Date, item: RunItem, headers: RateLimitHeaders, status: Int)] = []
        var windowEnd = start, used = 0
        var played = Played(seconds: 0, order: [])
        var now = start
        var taken: Set<RunKey> = []
        while true {
            switch scheduler.next(at: now) {
            case .fetch(let item):
                if now >= windowEnd { (windowEnd, used) = (now + window, 0) }
                used += 1
                let headers = RateLimitHeaders(
                    limit: limit, remaining: max(0, limit - used), resetsIn: .seconds(windowEnd.timeIntervalSince(now)),
                    resetInstant: windowEnd, resetGrain: .finer)
                answers.append((now + latency, item, headers, used > limit ? 429 : 200))
                played.order.append(item.key)
            case .read(let which):
                let floor = which == .late ? .distantPast : now
                let batch = queue[firstIndex(after: floor, in: queue)...].lazy.filter {
                    open.contains($0.key) && !taken.contains($0.key)
                }
                let items = Array(batch.prefix(scheduler.options.batchSize))
                taken.formUnion(items.map(\.key))
                scheduler.hasRead(which, items)
            case .lookUp, .post, .lookAgain, .open:
                Issue.record("there are no chains")
                return played
            case .wait(let until):
                guard let answer = answers.first, until.map({ answer.at <= $0 }) ?? true else {
                    guard let until else {
                        Issue.record("the export waits for nothing")
                        return played
                    }
                    now = until
                    continue
                }
                now = answer.at
                answers.removeFirst()
                scheduler.settle(.reads) { $0.answered(answer.headers, status: answer.status, at: now) }
                scheduler.returned(answer.item)
                if answer.status == 429 {
                    played.refused += 1
                    scheduler.retry(answer.item, at: now)
                } else {
                    open.remove(answer.item.key)
                    scheduler.gathered()
                    scheduler.committed(answer.item, pollAt: nil)
                }
            case .done:
                played.seconds = now.timeIntervalSince(start)
                return played
            }
        }
    }

    /// By bisection: the queue is in order of expiry.
    private static func firstIndex(after floor: Date, in queue: [RunItem]) -> Int {
        var range = 0..<queue.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = queue[middle].expiresAt > floor ? range.lowerBound..<middle : middle + 1..<range.upperBound
        }
        return range.lowerBound
    }

    private func items(_ count: Int, expiringAfter hours: (Int) -> Double) -> [RunItem] {
        (0..<count).map { SchedulerTests.item($0, expiresInHours: hours($0)) }
    }

    @Test("300 runs under 60 requests per 3 seconds take little more than the four windows they must wait for")
    func shortWindows() {
        let played = Self.play(items(300) { 24 + Double($0) }, limit: 60, window: 3, latency: 0.01)
        #expect(played.order.count == 300)
        #expect(played.refused == 0)
        #expect(played.seconds < 4 * 3 * 1.1)
    }

    @Test("Three days of export: 90,000 runs under 100 requests per 300 seconds, no 429, in the order of expiry")
    func days() {
        let (count, limit) = (90_000, 100)
        let expiring = items(count) { 80 + Double($0) / 10_000 }
        let played = Self.play(expiring, limit: limit, window: 300)
        #expect(played.order.count == count)
        #expect(Set(played.order).count == count)
        #expect(played.refused == 0)
        #expect(played.seconds >= Double(count / limit - 1) * 300)
        #expect(played.seconds < Double(count / limit + 1) * 300 * 1.02)
        #expect(played.order == expiring.map(\.key))
    }

    @Test("Under a scarce budget what expires first is saved first, and what has expired goes last")
    func scarce() {
        // One window an hour: two hours are enough for 20 runs.
        let expiring = items(40) { $0 < 20 ? 1.9 : 0.5 + Double($0) }
        let expired = (40..<45).map { SchedulerTests.item($0, expiresInHours: -1) }
        let played = Self.play(expired + expiring, limit: 10, window: 3600, latency: 0.1)
        #expect(Set(played.order.prefix(20)) == Set(expiring[0..<20].map(\.key)))
        #expect(Set(played.order.suffix(5)) == Set(expired.map(\.key)))
        #expect(played.order.count == 45)
    }
}
