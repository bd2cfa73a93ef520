import Foundation
import Testing

@testable import ExportCore

@Suite("The batch of answers")
struct BatchTests {
    private static let now = SchedulerTests.now

    private static func run(_ number: Int, bytes: Int = 0) -> FetchedRun {
        var run = FetchedRun(item: SchedulerTests.item(number), verdict: .unanswered, answeredAt: now)
        run.body = [UInt8](repeating: 0, count: bytes)
        return run
    }

    private static let full = 4 << 20

    @Test("A second batch goes beside the first only if it is full, and a third waits")
    func lanes() {
        var batch = Batch()
        batch.add(Self.run(1), at: Self.now)
        #expect(batch.opens(at: Self.now, expectsMore: false) == Self.now)
        #expect(batch.take().count == 1)
        batch.add(Self.run(2), at: Self.now)
        // It is not full: it waits for the first, and others join it.
        #expect(batch.opens(at: Self.now + 60, expectsMore: false) == nil)
        batch.add(Self.run(3, bytes: Self.full), at: Self.now)
        #expect(batch.opens(at: Self.now, expectsMore: true) == Self.now)
        #expect(batch.take().count == 2)
        batch.add(Self.run(4, bytes: Self.full), at: Self.now)
        #expect(batch.opens(at: Self.now, expectsMore: true) == nil)
        #expect(batch.isCommitting)
        batch.ended()
        #expect(batch.opens(at: Self.now, expectsMore: true) == Self.now)
        _ = batch.take()
        batch.ended()
        batch.ended()
        #expect(!batch.isCommitting)
    }

    @Test("A batch takes no more than fills it; the rest keeps its order and age")
    func rest() {
        var batch = Batch()
        for number in 1...5 { batch.add(Self.run(number, bytes: Self.full / 2), at: Self.now + Double(number)) }
        #expect(batch.take().map(\.item) == [1, 2].map { SchedulerTests.item($0) })
        #expect(batch.take().map(\.item) == [3, 4].map { SchedulerTests.item($0) })
        batch.ended()
        batch.ended()
        #expect(batch.opens(at: Self.now + 5, expectsMore: true) == Self.now + 5.2)
        #expect(batch.take().map(\.item) == [SchedulerTests.item(5)])
        #expect(batch.opens(at: Self.now + 60, expectsMore: false) == nil)
    }
}
