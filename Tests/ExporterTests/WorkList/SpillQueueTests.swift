import Foundation
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The queue that spills into a temporary file")
struct SpillQueueTests {
    private static func entry(_ random: inout SplitMix, rank: Double) -> WorkEntry {
        WorkEntry(
            rank: Date(timeIntervalSinceReferenceDate: rank),
            item: RunItem(
                key: RunKey(storedActionID: random.uuid(), runID: random.uuid()),
                expiresAt: Date(timeIntervalSinceReferenceDate: rank)))
    }

    private static var queue: SpillQueue { SpillQueue(directory: NSTemporaryDirectory()) }

    @Test("Entries come by rank and key, however many there are, in memory and out of it")
    func order() throws {
        var random = SplitMix(state: 1)
        var queue = Self.queue
        // Enough for two levels of segments.
        let count = SpillQueue.memoryLimit * (SpillQueue.fanIn + 3) + 17
        var ranks: [Double] = []
        for _ in 0..<count {
            let rank = Double(random.next() % 100_000)
            ranks.append(rank)
            try queue.push(Self.entry(&random, rank: rank))
        }
        #expect(queue.count == count)
        ranks.sort()
        var last: WorkEntry?
        for rank in ranks {
            let entry = try #require(try queue.popFirst())
            #expect(entry.rank.timeIntervalSinceReferenceDate == rank)
            if let last { #expect(last < entry) }
            last = entry
        }
        #expect(try queue.popFirst() == nil)
        #expect(queue.count == 0)
    }

    @Test("What is pushed between two pops has its place among what is left")
    func mixed() throws {
        var random = SplitMix(state: 2)
        var queue = Self.queue
        var model: [WorkEntry] = []
        for round in 0..<40 {
            for _ in 0..<500 {
                let entry = Self.entry(&random, rank: Double(random.next() % 1000))
                try queue.push(entry)
                model.append(entry)
            }
            model.sort(by: >)
            for _ in 0..<(round % 3 == 0 ? 700 : 300) where !model.isEmpty {
                #expect(try queue.popFirst() == model.removeLast())
            }
            #expect(queue.count == model.count)
        }
    }

    @Test("A copy is read without changing the queue")
    func copies() throws {
        var random = SplitMix(state: 3)
        var queue = Self.queue
        for rank in 0..<10_000 { try queue.push(Self.entry(&random, rank: Double(rank))) }
        var copy = queue
        while try copy.popFirst() != nil {}
        #expect(queue.count == 10_000)
        #expect(try queue.popFirst()?.rank == Date(timeIntervalSinceReferenceDate: 0))
    }

    @Test("An entry comes back from its bytes as it was")
    func bytes() {
        var random = SplitMix(state: 4)
        var entry = Self.entry(&random, rank: 12.25)
        var page = entry
        page.item.page = PageOfChain(
            root: RunKey(storedActionID: random.uuid(), runID: random.uuid()),
            submittedAt: Date(timeIntervalSinceReferenceDate: 99.5), isRefetch: true)
        entry.item.executedAt = Date(timeIntervalSinceReferenceDate: -3)
        entry.item.seenAlive = true
        entry.item.isSuspect = true
        entry.item.followsPages = true
        entry.item.polls = 7
        entry.item.quotedThrottles = 2
        entry.item.manifestPosition = 0
        var stored = entry
        stored.item.isStored = true
        stored.item.wasForbidden = true
        stored.item.manifestPosition = 1 << 40
        stored.rank = .distantPast
        for entry in [entry, page, stored] {
            var bytes: [UInt8] = []
            entry.append(to: &bytes)
            #expect(bytes.count == WorkEntry.byteCount)
            #expect(bytes.withUnsafeBytes { WorkEntry($0) } == entry)
        }
    }

    @Test("A folder in which no file can be made is an error that names it")
    func noFile() throws {
        var random = SplitMix(state: 5)
        var queue = SpillQueue(directory: "/nonexistent")
        let error = #expect(throws: SpoolError.self) {
            for rank in 0..<SpillQueue.memoryLimit { try queue.push(Self.entry(&random, rank: Double(rank))) }
        }
        #expect(error?.reason.contains("/nonexistent") == true)
    }
}
