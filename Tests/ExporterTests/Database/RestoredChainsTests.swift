import Foundation
import Logging
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Chains of a restored database")
struct RestoredChainsTests {
    private static let root = LedgerFixture.key(1)

    private func end(_ fixture: LedgerFixture) async throws -> [String] {
        try await fixture.texts(
            """
            select concat_ws(' ', end_reason, restored_to is not null, restore_settled_at is not null)
              from stored_actions.page_chains
            """)
    }

    /// A chain whose root is stored, put in doubt after a restore to the present.
    private func restored(_ body: (LedgerFixture, OpenedExport) async throws -> Void) async throws {
        try await LedgerFixture.with { fixture in
            let ledger = try await fixture.openChain()
            let report = try await RestoredChains(session: fixture.session, account: .standard).putInDoubt(
                restoredTo: Date(), dryRun: false)
            #expect(report?.inDoubt == 1)
            try await body(fixture, ledger)
        }
    }

    @Test(
        "A run that was started in the lost time is recorded under an intent of its own, and the next page is in doubt")
    func started() async throws {
        try await restored { fixture, ledger in
            let resolution = ChainResolution(session: fixture.session)
            let run = UUID()
            let resolved = try await resolution.resolve(root: Self.root.runID, of: nil, as: .started(runID: run))
            #expect(resolved.pageNumber == 1)
            #expect(resolved.isNextInDoubt)
            #expect(try await end(fixture) == ["t f"])
            let chain = try #require(try await ledger.ledger.chain(Self.root))
            #expect(chain.attempt?.runID == run)
            #expect(chain.restoredTo != nil)
        }
    }

    @Test("That nothing was asked for ends the doubt of all further pages")
    func notSent() async throws {
        try await restored { fixture, ledger in
            let resolution = ChainResolution(session: fixture.session)
            let resolved = try await resolution.resolve(root: Self.root.runID, of: nil, as: .notSent)
            #expect(!resolved.isNextInDoubt)
            #expect(try await end(fixture) == ["t t"])
            let chain = try #require(try await ledger.ledger.chain(Self.root))
            #expect(chain.end == nil)
            #expect(chain.restoredTo == nil)
            await #expect(throws: ChainResolution.Refusal.self) {
                _ = try await resolution.resolve(root: Self.root.runID, of: nil, as: .notSent)
            }
        }
    }

    @Test("Later restores count again, earlier ones and the same one do not")
    func again() async throws {
        try await restored { fixture, _ in
            _ = try await ChainResolution(session: fixture.session).resolve(
                root: Self.root.runID, of: nil, as: .notSent)
            let chains = RestoredChains(session: fixture.session, account: .standard)
            #expect(try await chains.putInDoubt(restoredTo: Date() - 3600, dryRun: false) == RestoredChains.Report())
            #expect(try await end(fixture) == ["t t"])
            #expect(try await chains.putInDoubt(restoredTo: Date(), dryRun: true)?.inDoubt == 1)
            #expect(try await end(fixture) == ["t t"])
            #expect(try await chains.putInDoubt(restoredTo: Date(), dryRun: false)?.inDoubt == 1)
            #expect(try await end(fixture) == ["submit_unknown t f"])
        }
    }

    @Test("A time that has not come is nobody's backup")
    func future() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.openChain()
            let chains = RestoredChains(session: fixture.session, account: .standard)
            #expect(try await chains.putInDoubt(restoredTo: Date() + 3600, dryRun: false) == nil)
            #expect(try await end(fixture) == ["f f"])
        }
    }

    @Test("An intent is not written while the chain's pages are in doubt after a restore")
    func noIntent() async throws {
        try await LedgerFixture.with { fixture in
            let ledger = try await fixture.openChain()
            _ = try await fixture.session.query("update stored_actions.page_chains set restored_to = now()")
            let log = IntentLog(database: fixture.database, exportID: ledger.exportID, logger: .init(label: "test"))
            let submission = PageFollower.Submission(
                root: Self.root, pageNumber: 1, cursor: "1", attempt: 1, intentID: UUID(), inputsHash: InputsHash.none)
            let chain = try await log.write(submission)
            await log.close()
            #expect(chain?.restoredTo != nil)
            #expect(try await fixture.texts("select count(*) from stored_actions.page_intents") == ["0"])
        }
    }
}
