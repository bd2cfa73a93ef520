import CLinux
import ExportCore
import Exporter
import Foundation
import Testing

@testable import stored_actions

@Suite("The process and its streams")
struct ProcessTests {
    @Test(
        "A second signal within a second of the first is the same one",
        arguments: [
            ([0], [.first]), ([0, 0], [.first, .echo]), ([0, 3, 5], [.first, .echo, .echo]),
            ([0, 999], [.first, .echo]), ([0, 1000], [.first, .second]), ([0, 5, 1500], [.first, .echo, .second]),
            ([0, 60_000], [.first, .second]), ([0, 900, 1800], [.first, .echo, .second]),
        ] as [([Int], [SignalCount.Decision])])
    func signals(milliseconds: [Int], decisions: [SignalCount.Decision]) {
        let begin = ContinuousClock.now
        var count = SignalCount()
        #expect(milliseconds.map { count.received(at: begin + .milliseconds($0)) } == decisions)
    }

    @Test(
        "A result that is lost is graver than an incomplete export, and not as grave as one that failed",
        arguments: [
            (0, 74), (3, 74), (4, 74), (75, 74), (129, 74), (130, 74), (143, 74), (1, 1), (64, 64), (65, 65), (69, 69),
            (77, 77), (78, 78),
        ] as [(Int32, Int32)])
    func lostResult(status: Int32, without: Int32) {
        #expect(ExitStatus.withoutResult(status) == without)
    }

    @Test("Lines that are held back keep their order", arguments: [0, 1, 500, 501, 1000, 1499])
    func heldLines(number: Int) {
        var held = HeldLines()
        for line in 0..<number { held.append("\(line)") }
        #expect(held.release { "\($0) left out" } == (0..<number).map(String.init))
        #expect(held.release { "\($0) left out" } == [])
    }

    @Test("Of very many lines the first and the last are held back, and the number of the others")
    func manyHeldLines() {
        var held = HeldLines()
        for line in 0..<100_000 { held.append("\(line)") }
        let lines = held.release { "\($0) left out" }
        #expect(lines.count < 2000)
        #expect(lines.prefix(500) == (0..<500).map(String.init)[...])
        let omitted = 100_000 - (lines.count - 1)
        #expect(lines[500] == "\(omitted) left out")
        #expect(Array(lines[501...]) == ((500 + omitted)..<100_000).map(String.init))
    }

    @Test("Log lines in both forms")
    func logLines() {
        let line = LogLine(
            level: .notice, message: "7 lines left out here", fields: [("b", "2"), ("a", "1"), ("level", "x")],
            at: Date(timeIntervalSince1970: 1_800_000_000))
        #expect(line.text(.text) == "2027-01-15T08:00:00Z notice 7 lines left out here a=1 b=2 level=x")
        #expect(
            line.text(.json)
                == #"{"a":"1","b":"2","level":"notice","message":"7 lines left out here","time":"2027-01-15T08:00:00Z"}"#
        )
    }
}
