import Foundation
import Logging
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The log of intents, and the ends of chains beside it")
struct IntentLogTests {
    /// A chain whose root is stored and names the cursor "1".
    private struct Begun {
        let fixture: LedgerFixture
        let ledger: Ledger
        let log: IntentLog

        var root: RunKey { LedgerFixture.key(1) }

        func chain() async throws -> Chain { try #require(try await ledger.chain(root)) }

        func submission(_ intentID: UUID = UUID()) -> PageFollower.Submission {
            PageFollower.Submission(
                root: root, pageNumber: 1, cursor: "1", attempt: 1, intentID: intentID, inputsHash: InputsHash.none)
        }

        static let inDoubt = ChainEnd(.submitUnknown, "test")

        /// An intent that is written, and that somebody holds to be in doubt.
        func doubt() async throws -> PageFollower.Submission {
            let submission = submission()
            _ = try await log.write(submission)
            try await ledger.end(chain(), Self.inDoubt, failedAttempts: 0, intentID: submission.intentID)
            return submission
        }
    }

    private static func begun(_ body: (Begun) async throws -> Void) async throws {
        try await LedgerFixture.with { fixture in
            let ledger = try await fixture.openChain()
            let log = IntentLog(database: fixture.database, exportID: ledger.exportID, logger: Logger(label: "test"))
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(Begun(fixture: fixture, ledger: ledger.ledger, log: log)))
            } catch {
                result = .failure(error)
            }
            await log.close()
            try result.get()
        }
    }

    @Test("An intent is written once: the second writer gets the chain's present state")
    func once() async throws {
        try await Self.begun { begun in
            let first = try await begun.log.write(begun.submission())
            #expect(first == nil)
            let chain = try #require(try await begun.log.write(begun.submission()))
            #expect(chain.attempt != nil)
            #expect(chain.attempt?.runID == nil)
        }
    }

    @Test("An intent is in flight while the export that wrote it is alive, and in doubt afterwards")
    func dead() async throws {
        try await Self.begun { begun in
            _ = try await begun.log.write(begun.submission())
            #expect(try await begun.chain().attempt?.isInFlight == true)
            await begun.log.close()
            // The server ends the session a moment after its client has closed it.
            var looks = 0
            while try await begun.chain().attempt?.isInFlight == true, looks < 1000 { looks += 1 }
            #expect(try await begun.chain().attempt?.isInFlight == false)
        }
    }

    @Test("An intent with other inputs than the chain's is not written")
    func otherInputs() async throws {
        try await Self.begun { begun in
            var submission = begun.submission()
            submission.inputsHash = InputsHash.of(Array(#"{"list": "b"}"#.utf8))
            let chain = try await begun.log.write(submission)
            #expect(chain != nil)
            let intents = try await begun.fixture.texts("select count(*) from stored_actions.page_intents")
            #expect(intents == ["0"])
        }
    }

    @Test("A chain that another export holds to be in doubt goes on when its intent is taken back")
    func withdrawn() async throws {
        try await Self.begun { begun in
            let submission = try await begun.doubt()
            #expect(try await begun.chain().end?.reason == .submitUnknown)
            try await begun.log.withdraw(submission)
            let after = try await begun.chain()
            #expect(after.end == nil)
            #expect(after.attempt == nil)
        }
    }

    @Test("Doubt of an intent that is gone puts no other one in doubt")
    func staleDoubt() async throws {
        try await Self.begun { begun in
            let first = begun.submission()
            _ = try await begun.log.write(first)
            let seen = try await begun.chain()
            try await begun.log.withdraw(first)
            _ = try await begun.log.write(begun.submission())
            try await begun.ledger.end(seen, Begun.inDoubt, failedAttempts: 0, intentID: first.intentID)
            let chain = try await begun.chain()
            #expect(chain.end == nil)
            #expect(chain.attempt?.isInFlight == true)
        }
    }

    @Test("A run is recorded with its row, and clears a doubt")
    func recorded() async throws {
        try await Self.begun { begun in
            let submission = try await begun.doubt()
            let run = LedgerFixture.key(2).runID
            let chain = try #require(try await begun.log.record(submission, runID: run, at: Date()))
            #expect(chain.end == nil)
            #expect(chain.attempt?.runID == run)
            let rows = try await begun.fixture.texts(
                """
                select page || ' ' || page_number || ' ' || outcome from stored_actions.runs
                 where run_id = '\(run)' and root_run_id = '\(begun.root.runID)'
                """)
            #expect(rows == ["1 1 queued"])
        }
    }

    @Test("A run that an operator has recorded meanwhile is no run of old")
    func resolvedMeanwhile() async throws {
        try await Self.begun { begun in
            let submission = try await begun.doubt()
            let run = LedgerFixture.key(2).runID
            _ = try await ChainResolution(session: begun.fixture.session)
                .resolve(root: begun.root.runID, of: nil, as: .started(runID: run))
            let chain = try await begun.log.record(submission, runID: run, at: Date())
            #expect(chain?.attempt?.runID == run)
        }
    }

    @Test("Intent and run are durable, even where the database's own setting is not to wait for its disk")
    func durable() async throws {
        try await Self.begun { begun in
            try await begun.fixture.session.transaction { transaction in
                try transaction.execute(
                    script: """
                        do $$ begin
                          execute format('alter database %I set synchronous_commit = off', current_database());
                        end $$;
                        create table public.seen (operation text, setting text);
                        create function public.note() returns trigger language plpgsql as $$ begin
                          insert into public.seen values (tg_op, current_setting('synchronous_commit'));
                          return null;
                        end $$;
                        create trigger note after insert or update or delete on stored_actions.page_intents
                          for each row execute function public.note();
                        """)
            } wasCommitted: { _ in
                true
            }
            let withdrawn = begun.submission()
            _ = try await begun.log.write(withdrawn)
            try await begun.log.withdraw(withdrawn)
            let started = begun.submission()
            _ = try await begun.log.write(started)
            _ = try await begun.log.record(started, runID: LedgerFixture.key(2).runID, at: Date())
            let seen = try await begun.fixture.texts(
                "select operation || ' ' || setting || ' ' || count(*) from public.seen group by operation, setting order by 1"
            )
            #expect(seen == ["DELETE on 1", "INSERT on 2", "UPDATE on 1"])
        }
    }

    @Test("A run that is the chain's own root is one of old")
    func runOfOld() async throws {
        try await Self.begun { begun in
            let submission = begun.submission()
            _ = try await begun.log.write(submission)
            let chain = try await begun.log.record(submission, runID: begun.root.runID, at: Date())
            #expect(chain == nil)
            #expect(try await begun.chain().attempt?.runID == nil)
        }
    }
}
