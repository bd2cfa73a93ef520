import ActionsAPI
import Foundation
import Testing

@testable import ExportCore

@Suite("Whether the API can be asked")
struct APIHealthTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func admit(
        _ health: APIHealth, _ bucket: Bucket = .reads, inFlight: Int = 0, pages: Int = 0, after seconds: Double = 0
    ) -> APIHealth.Admission {
        health.admit(bucket, inFlight: inFlight, pagesInFlight: pages, at: now + seconds)
    }

    private func failing(_ health: inout APIHealth, _ request: APIHealth.Request, times: Int) -> APIHealth.Decision {
        var decision = APIHealth.Decision.carryOn
        for _ in 0..<times {
            decision = health.heard(.failing(reason: "500"), of: request, retryAfter: nil, at: now, random: 0)
        }
        return decision
    }

    @Test("An API that was never asked may be asked by everything at once")
    func unproven() {
        let health = APIHealth(longestGap: .seconds(600))
        #expect(!health.hasAnswered)
        #expect(admit(health, inFlight: 31) == .open)
        #expect(admit(health, .runs, inFlight: 31, pages: 31) == .open)
    }

    @Test("Without a connection nothing leaves before a time, then one request; an answer opens it for all")
    func connection() throws {
        var health = APIHealth(longestGap: .seconds(600))
        guard case .probe(let time) = health.notConnected("refused", at: now, random: 0) else {
            Issue.record("given up at once")
            return
        }
        #expect(health.noConnection == "refused")
        #expect(admit(health) == .closed(until: time))
        #expect(admit(health, .runs) == .closed(until: time))
        let later = time.timeIntervalSince(now)
        #expect(admit(health, after: later) == .open)
        #expect(admit(health, inFlight: 1, after: later) == .closed(until: nil))
        health.answered()
        #expect(health.noConnection == nil)
        #expect(admit(health, inFlight: 1) == .open)
    }

    @Test("Failures of every request open the circuit for all; a lost connection meanwhile does not close it")
    func service() {
        var health = APIHealth(longestGap: .seconds(600))
        health.answered()
        guard case .probe(let time) = failing(&health, .run(isRetry: false, askedAt: nil), times: 20) else {
            Issue.record("20 failures did not open it")
            return
        }
        #expect(admit(health) == .closed(until: time))
        _ = health.notConnected("refused", at: now, random: 0)
        health.answered()
        #expect(admit(health) == .closed(until: time))
        _ = health.heard(.well, of: .lookUp, retryAfter: nil, at: now, random: 0)
        #expect(admit(health, inFlight: 31) == .open)
    }

    @Test("Failures of requests for pages hold back those alone, and close them for the export in the end")
    func pages() {
        var health = APIHealth(longestGap: .seconds(600))
        guard case .probe(let time) = failing(&health, .page, times: 10) else {
            Issue.record("10 failures did not open it")
            return
        }
        #expect(admit(health, .runs) == .closed(until: time))
        #expect(admit(health, .runs, inFlight: 1, pages: 1, after: 60) == .closed(until: nil))
        #expect(admit(health, inFlight: 31) == .open)
        var decision = APIHealth.Decision.carryOn
        for probe in 1...2 {
            decision = health.heard(
                .failing(reason: "500"), of: .page, retryAfter: nil, at: now + Double(60 * probe), random: 0)
        }
        #expect(decision == .giveUp(reason: "500", comeBackAt: nil))
        #expect(health.arePagesClosed)
        // An answer of use comes too late.
        _ = health.heard(.well, of: .page, retryAfter: nil, at: now + 200, random: 0)
        #expect(health.arePagesClosed)
    }
}
