import ActionsAPI
import Foundation
import Postgres
import Support

@testable import ExportCore
@testable import Exporter

/// A migrated database of its own, and exports opened in it.
struct LedgerFixture {
    static let storedActionID = UUID(uuidString: "4f4e0000-0000-4000-8000-000000000001")!

    let session: PostgresSession
    let database: PostgresConfiguration

    static func with(_ body: (LedgerFixture) async throws -> Void) async throws {
        try await TestServer.withDatabase { database in
            try await PostgresSession.withSession(database) { session in
                _ = try await Migrator(toolVersion: "test").migrate(on: session)
                try await body(LedgerFixture(session: session, database: database))
            }
        }
    }

    static func key(_ number: Int) -> RunKey {
        RunKey(
            storedActionID: storedActionID,
            runID: UUID(uuidString: "00000000-0000-4000-8000-" + String(format: "%012d", number))!)
    }

    /// Opens an export of a manifest that names these runs.
    func open(
        _ runs: [(number: Int, executedAt: Date?)], name: String = "test", followsPages: Bool = false,
        inputs: String? = nil, refetch: Bool = false, concurrency: Int = 0, stepSize: Int = ExportOpening.stepSize,
        at now: Date = Date()
    ) async throws -> OpenedExport {
        let manifests = try manifests(runs, name: name, followsPages: followsPages, inputs: inputs)
        let ledger = try await Ledger.begin(
            manifests, origin: Self.origin, refetch: refetch, concurrency: concurrency, session: session, at: now)
        return try await OpenedExport(
            ledger, manifests: manifests, stepSize: stepSize, database: database, at: now)
    }

    /// Opens an export of all that is unfinished.
    func openUnfinished(origin: ExportOrigin = Self.origin, at now: Date = Date()) async throws -> OpenedExport {
        let ledger = try await Ledger.beginUnfinished(origin: origin, session: session)
        return try await OpenedExport(ledger, manifests: nil, database: database, at: now)
    }

    static var origin: ExportOrigin { ExportOrigin(apiURL: "http://127.0.0.1", toolVersion: "test", host: "here") }

    /// A manifest that names these runs.
    func manifests(
        _ runs: [(number: Int, executedAt: Date?)], name: String = "test", followsPages: Bool = false,
        inputs: String? = nil, maxPages: Int? = nil
    ) throws -> Manifests {
        let lines = runs.map { run in
            let date = run.executedAt.map { #", "executed_at": "\#($0.formatted(.iso8601))""# } ?? ""
            let key = Self.key(run.number)
            let pages = followsPages ? #", "follow_pages": true"# + (inputs.map { #", "inputs": \#($0)"# } ?? "") : ""
            let limit = maxPages.map { #", "max_pages": \#($0)"# } ?? ""
            return
                #"{"stored_action_id": "\#(key.storedActionID)", "run_id": "\#(key.runID)"\#(date)\#(pages)\#(limit)}"#
        }
        let path = NSTemporaryDirectory() + "\(UUID()).json"
        try #"{"version": 1, "name": "\#(name)", "runs": [\#(lines.joined(separator: ","))]}"#
            .write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try ManifestReader.read(
            [ManifestSource(.file(path: path))], temporaryDirectory: NSTemporaryDirectory())
    }

    /// Opens an export of run 1, whose pages it follows, and stores that run with the cursor "1".
    func openChain(results: String = "[1, 2]", inputs: String? = nil) async throws -> OpenedExport {
        let ledger = try await open([(number: 1, executedAt: nil)], followsPages: true, inputs: inputs)
        var root = Self.loaded(
            1, status: 200, body: #"{"status": "success", "results": \#(results), "errors": [], "next_page": "1"}"#)
        root.item.followsPages = true
        try await commit([root], to: ledger)
        return ledger
    }

    /// What `ExportMachine` would hand over after this answer.
    static func loaded(
        _ number: Int, status: Int, body: String, keepRaw: Bool = false, at now: Date = Date()
    ) -> FetchedRun {
        let item = RunItem(key: key(number), executedAt: now, expiresAt: now + retention.seconds)
        let answer = RunAnswer(APIResponse(status: status, body: Array(body.utf8)), runID: key(number).runID)
        var run = FetchedRun(
            item: item, answer: answer, httpStatus: status, body: keepRaw ? Array(body.utf8) : nil, answeredAt: now,
            lease: nil)
        run.item.requests = 1
        switch RunRules(maxWait: .seconds(600)).step(item, answer: answer, retryAfter: nil, at: now, random: 0.5) {
        case .conclude(let verdict): run.verdict = verdict
        case .poll(let verdict, let gap):
            run.verdict = verdict
            run.item.polls = 1
            run.pollAt = now + gap.seconds
        case .retry, .miss, .askAgain, .refuse:
            run.verdict = Verdict(outcome: .failed, failure: "test", seenAlive: false)
        }
        return run
    }

    @discardableResult
    func commit(_ runs: [FetchedRun], to export: OpenedExport, refetch: Bool = false) async throws -> [Commit] {
        try await export.commit(runs, refetch: refetch)
    }

    /// Any number of statements.
    func execute(_ script: String) async throws {
        let connection = try await PostgresConnection(database)
        try await connection.execute(script: script)
        await connection.close()
    }

    /// The first column of the query's rows, as text.
    func texts(_ sql: String) async throws -> [String] {
        try await session.query("select q.v::text as text from (\(sql)) as q(v)").map { try $0.decode("text") }
    }
}
