import Foundation
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("A run found again by its position")
struct ManifestPositionTests {
    /// The runs, and the position of each.
    private func positions(_ manifests: Manifests) throws -> [(run: ManifestRun, position: Int)] {
        var found: [(run: ManifestRun, position: Int)] = []
        try manifests.forEachRunAndPosition { found.append(($0, $1)) }
        return found
    }

    @Test("Each of several thousand runs is found by its position, in whatever order, with all of its settings")
    func thousands() throws {
        let fixture = try ManifestFixture()
        let runs = (0..<3_000).map { number in
            // A few are longer than what is read at once.
            let inputs = number % 1_000 == 7 ? String(repeating: "x", count: 100_000) : "\(number)"
            return #"{\#(ManifestFixture.ids(number)), "inputs": {"list": "\#(inputs)"}, "max_pages": \#(number + 1)}"#
        }
        let storedActions = #"{"\#(ManifestFixture.action)": {"follow_pages": true, "action_type": "read_bulk"}}"#
        let manifests = try fixture.read([
            fixture.file(
                "a.json", ManifestFixture.json(runs.joined(separator: ","), storedActions: storedActions))
        ])
        let found = try positions(manifests)
        #expect(found.count == 3_000)
        #expect(found.map(\.run) == (try manifests.runs()))
        #expect(Set(found.map(\.position)).count == 3_000)
        var random = SplitMix(state: 1)
        for (run, position) in found.shuffled(using: &random) {
            let again = try manifests.run(at: position)
            #expect(again == run)
        }
        #expect(found.allSatisfy { $0.run.pages.followPages && $0.run.pages.actionType == "read_bulk" })
        #expect(Set(found.map(\.run.pages.maxPages)) == Set(1...3_000))
    }

    @Test("So are the runs of a manifest that never needs the disk")
    func few() throws {
        let fixture = try ManifestFixture()
        let runs = (0..<3).map { "{\(ManifestFixture.ids($0))}" }.joined(separator: ",")
        let manifests = try fixture.read([fixture.file("a.json", ManifestFixture.json(runs))])
        for (run, position) in try positions(manifests).reversed() {
            #expect(try manifests.run(at: position) == run)
        }
    }

    @Test(
        "Steps of any length hand over every run once, each where the step before ended", arguments: [1, 7, 64, 1_000])
    func steps(limit: Int) throws {
        let fixture = try ManifestFixture()
        let text = (0..<1_000).map { "{\(ManifestFixture.ids($0))}\n" }.joined()
        let manifests = try fixture.read([fixture.file("a.jsonl", text)])
        var found: [(run: ManifestRun, position: Int)] = []
        var next: Int? = 0
        var steps = 0
        while let position = next {
            let before = found.count
            next = try manifests.forEachRun(from: position, limit: limit) { found.append(($0, $1)) }
            #expect(found.count - before == min(limit, 1_000 - before))
            steps += 1
        }
        #expect(steps == (1_000 + limit - 1) / limit)
        let all = try positions(manifests)
        #expect(found.map(\.run) == all.map(\.run))
        #expect(found.map(\.position) == all.map(\.position))
    }

    @Test("A position is one record's: on the disk, in memory, the first and the last of each")
    func records() throws {
        let fixture = try ManifestFixture()
        var writer = SpoolWriter(directory: fixture.folder)
        // Records of 60 bytes and their length: 256 fill a buffer, so the last 136 of 5,000 stay in memory.
        let records = (0..<5_000).map { number in
            Array(repeating: UInt8(truncatingIfNeeded: number), count: 58)
                + [UInt8(truncatingIfNeeded: number >> 8), 0xA5]
        }
        for record in records { try writer.append(record) }
        let spool = writer.finish()
        var positions: [Int] = []
        try spool.forEachRecordAndPosition { record, position in
            #expect(Array(record) == records[positions.count])
            positions.append(position)
        }
        #expect(positions == (0..<5_000).map { $0 * 64 })
        for number in [4_999, 4_864, 4_863, 0, 255, 256, 1_023, 1_024, 2_500] {
            let record = try spool.record(at: positions[number])
            #expect(Array(record) == records[number])
        }
    }

    @Test("Where no record begins any more there is an error, and no run")
    func behindTheLast() throws {
        var writer = SpoolWriter(directory: NSTemporaryDirectory())
        try writer.append([1, 2, 3])
        let spool = writer.finish()
        #expect(throws: SpoolError.self) { try spool.record(at: spool.byteCount) }
    }
}
