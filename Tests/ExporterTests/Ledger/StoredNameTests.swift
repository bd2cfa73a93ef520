import ExportCore
import Testing

@testable import Exporter

@Suite("Names that the database holds")
struct StoredNameTests {
    @Test(arguments: Outcome.allCases) func `An outcome is read by its name`(outcome: Outcome) throws {
        #expect(try Outcome(named: outcome.rawValue) == outcome)
    }

    @Test func `A name of a newer version is an error that quotes it`() {
        let outcome = #expect(throws: UnknownName.self) { _ = try Outcome(named: "resumed") }
        #expect(
            outcome?.description == "the database holds the outcome \"resumed\", which this version does not support")
        let reason = #expect(throws: UnknownName.self) { _ = try EndReason(named: "tired") }
        #expect(
            reason?.description == "the database holds the end reason \"tired\", which this version does not support")
    }
}
