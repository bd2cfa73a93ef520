import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Telling an API that is gone from a run that is")
struct ReachabilityTests {
    let now = Date(timeIntervalSince1970: 1_800_000_000)

    /// Probes until it is given up.
    private func outage(_ reachability: inout Reachability) -> (probes: Int, seconds: Double) {
        var (time, probes) = (now, 1)
        while case .probe(let next) = reachability.notConnected("refused", at: time, random: 0.5) {
            #expect(next > time)
            (time, probes) = (next, probes + 1)
        }
        return (probes, time.timeIntervalSince(now))
    }

    @Test("One that never answered is given up after some seconds")
    func atStart() {
        var reachability = Reachability()
        let outage = outage(&reachability)
        #expect(outage.probes == 5)
        #expect((3...10).contains(outage.seconds))
    }

    @Test("One that did answer is given up after about a minute")
    func later() {
        var reachability = Reachability()
        reachability.answered()
        let outage = outage(&reachability)
        #expect(outage.probes == 8)
        #expect((30...90).contains(outage.seconds))
    }

    @Test("Requests that fail together count as one failure")
    func together() {
        var reachability = Reachability()
        let first = reachability.notConnected("refused", at: now, random: 0)
        for _ in 0..<50 { #expect(reachability.notConnected("refused", at: now, random: 0.9) == first) }
    }

    @Test("An answer ends the outage, and is seen to")
    func recovery() {
        var reachability = Reachability()
        for _ in 0..<3 { _ = reachability.notConnected("refused", at: now, random: 0) }
        #expect(reachability.probesAt != nil)
        #expect(reachability.reason == "refused")
        reachability.answered()
        #expect(reachability.probesAt == nil)
        #expect(reachability.reason == nil)
        #expect(outage(&reachability).probes == 8)
    }
}
