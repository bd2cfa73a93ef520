import ExportCore
import Foundation
import Support
import Testing

@testable import Exporter

@Suite("The order of runs")
struct RunSortTests {
    @Test(
        "Records come in key order, those of one run as they came: from memory, from files, and from merged files",
        arguments: [2 << 20, 4_000, 500, 1])
    func order(blockSize: Int) throws {
        let fixture = try ManifestFixture()
        var random = SplitMix(state: 7)
        // Each key three times on average; the source numbers the records.
        let keys = (0..<400).map { _ in
            RunKey(
                storedActionID: UUID.random(using: &random, bits: 2), runID: UUID.random(using: &random, bits: 64))
        }
        let named = (0..<1_200).map { _ in keys[Int.random(in: keys.indices, using: &random)] }
        var sort = RunSort(directory: fixture.folder, blockSize: blockSize, fanIn: 3)
        for (number, key) in named.enumerated() {
            var writer = SpoolWriter(directory: fixture.folder)
            var run = SpooledRun(
                key: key, executedAt: nil, settings: ManifestSettings(),
                mention: SpooledRun.Mention(source: number, offset: 0, index: 0))
            if number % 5 == 0 { run.settings.label = String(repeating: "x", count: number) }
            try run.append(to: &writer)
            try writer.finish().forEachRecord { try sort.add($0) }
        }
        var sorted: [SpooledRun] = []
        try sort.forEachRecord { sorted.append(try SpooledRun(decoding: $0)) }
        let expected = named.enumerated().sorted {
            ($0.element.storedActionID.uuidString, $0.element.runID.uuidString, $0.offset)
                < ($1.element.storedActionID.uuidString, $1.element.runID.uuidString, $1.offset)
        }
        #expect(sorted.map(\.mention.source) == expected.map(\.offset))
        #expect(sorted.map(\.key) == expected.map(\.element))
        for run in sorted where run.mention.source % 5 == 0 {
            #expect(run.settings.label?.utf8.count == run.mention.source)
        }
    }
}

extension UUID {
    /// - Parameter bits: of the first eight bytes, how many differ.
    fileprivate static func random(using random: inout SplitMix, bits: UInt64) -> UUID {
        let first = bits == 64 ? random.next() : random.next() & ((1 << bits) - 1)
        return UUID(uuid: unsafeBitCast((first, random.next() & 3), to: uuid_t.self))
    }
}
