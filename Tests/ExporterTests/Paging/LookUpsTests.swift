import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Look-ups of stored actions")
struct LookUpsTests {
    private let chains = (1...3).map { LedgerFixture.key($0) }
    private var action: UUID { LedgerFixture.storedActionID }

    @Test("One request serves all chains of an action")
    func shared() {
        var lookUps = LookUps()
        #expect(lookUps.want(chains[0].storedActionID, for: chains[0]) == .waits(isFirst: true))
        #expect(lookUps.want(chains[1].storedActionID, for: chains[1]) == .waits(isFirst: false))
        #expect(lookUps.answered(action, .found(actionType: "read_bulk")) == [chains[0], chains[1]])
        #expect(lookUps.want(chains[2].storedActionID, for: chains[2]) == .known(.found(actionType: "read_bulk")))
        #expect(lookUps.description(of: action) == .found(actionType: "read_bulk"))
    }

    @Test("A look-up that fails is tried five times in all, and not again by the same export")
    func failing() {
        var lookUps = LookUps()
        #expect(lookUps.want(chains[0].storedActionID, for: chains[0]) == .waits(isFirst: true))
        for _ in 1...4 {
            #expect(lookUps.failed(action, .status(500), retryAfter: nil, random: 0) != nil)
        }
        #expect(lookUps.failed(action, .status(500), retryAfter: nil, random: 0) == nil)
        #expect(lookUps.answered(action, nil) == [chains[0]])
        #expect(lookUps.want(chains[1].storedActionID, for: chains[1]) == .failed)
    }

    @Test("Retry-After is kept to")
    func retryAfter() {
        var lookUps = LookUps()
        _ = lookUps.want(chains[0].storedActionID, for: chains[0])
        #expect(lookUps.failed(action, .status(503), retryAfter: .seconds(7), random: 0) == .seconds(7))
    }
}
