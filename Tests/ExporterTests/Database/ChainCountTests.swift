import Foundation
import Logging
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The rows that a chain counts are those that paged_results shows")
struct ChainCountTests {
    private static let root = LedgerFixture.key(1)

    /// Asks for page 1 and stores this answer to it.
    private static func page(
        attempt: Int, body: String, in fixture: LedgerFixture, _ ledger: OpenedExport, _ log: IntentLog
    ) async throws -> Commit {
        let submission = PageFollower.Submission(
            root: root, pageNumber: 1, cursor: "1", attempt: attempt, intentID: UUID(), inputsHash: InputsHash.none)
        let ahead = try await log.write(submission)
        #expect(ahead == nil)
        let number = 100 + attempt
        _ = try await log.record(submission, runID: LedgerFixture.key(number).runID, at: Date())
        var run = LedgerFixture.loaded(number, status: 200, body: body)
        run.item.page = PageOfChain(root: root, submittedAt: Date())
        return try #require(try await fixture.commit([run], to: ledger).first)
    }

    private static func rows(_ count: Int) -> String { "[" + (0..<count).map(String.init).joined(separator: ",") + "]" }

    private static func counts(_ fixture: LedgerFixture) async throws -> [String] {
        try await fixture.texts(
            """
            select c.pages || ' ' || c.result_count || ' '
                   || (select count(*) from stored_actions.paged_results p where p.root_run_id = c.root_run_id)
              from stored_actions.page_chains c
            """)
    }

    @Test("Of a page that was asked for several times, those of its newest answer")
    func attempts() async throws {
        try await LedgerFixture.with { fixture in
            let ledger = try await fixture.openChain()
            #expect(try await Self.counts(fixture) == ["1 2 2"])
            let log = IntentLog(database: fixture.database, exportID: ledger.exportID, logger: Logger(label: "test"))
            for (attempt, rows) in [(1, 5), (2, 3), (3, 7)] {
                let commit = try await Self.page(
                    attempt: attempt,
                    body: """
                        {"status": "error", "results": \(Self.rows(rows)),
                         "errors": [{"code": "throttled", "title": "t", "delay": 1}]}
                        """, in: fixture, ledger, log)
                #expect(commit.chain?.failedAttempts == attempt)
                #expect(commit.chain?.end == nil)
                #expect(try await Self.counts(fixture) == ["1 \(2 + rows) \(2 + rows)"])
            }
            let commit = try await Self.page(
                attempt: 4, body: #"{"status": "success", "results": \#(Self.rows(4)), "errors": []}"#, in: fixture,
                ledger, log)
            #expect(commit.chain?.end?.reason == .lastPage)
            #expect(try await Self.counts(fixture) == ["2 6 6"])
            await log.close()
        }
    }

    @Test("Of a root that failed, its own and once, also when it is fetched again")
    func failedRoot() async throws {
        try await LedgerFixture.with { fixture in
            for refetch in [false, true] {
                let ledger = try await fixture.open(
                    [(number: 1, executedAt: nil)], followsPages: true, refetch: refetch)
                var root = LedgerFixture.loaded(
                    1, status: 200, body: #"{"status": "error", "results": [1, 2], "errors": [{"code": "user"}]}"#)
                root.item.followsPages = true
                try await fixture.commit([root], to: ledger, refetch: refetch)
                #expect(try await Self.counts(fixture) == ["0 2 2"])
            }
        }
    }

    @Test("A manifest with other inputs changes nothing once a page was asked for, and everything before")
    func inputs() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.openChain(inputs: #"{"a": 1}"#)
            let second = try await fixture.open([(number: 1, executedAt: nil)], followsPages: true)
            let open = try #require(try await second.ledger.chain(Self.root))
            #expect(open.inputsHash == InputsHash.none)
            let log = IntentLog(database: fixture.database, exportID: second.exportID, logger: Logger(label: "test"))
            _ = try await Self.page(
                attempt: 1, body: #"{"status": "success", "results": [], "errors": [], "next_page": "2"}"#, in: fixture,
                second, log)
            let third = try await fixture.open([(number: 1, executedAt: nil)], followsPages: true, inputs: #"{"a": 1}"#)
            let begun = try #require(try await third.ledger.chain(Self.root))
            #expect(begun.inputsHash == InputsHash.none)
            await log.close()
        }
    }
}
