import Foundation
import Migrations
import Postgres
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Accounts in the ledger")
struct AccountTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
    private static let other = ZapierAccount(name: "other")!

    /// Opens an export of `number`'s run, whose stored action is the last but one of as many as there are accounts.
    private static func open(
        _ db: LedgerFixture, action: Int = 1, runs: [Int], account: ZapierAccount = .standard, name: String = "today",
        adopts: Bool = false, followsPages: Bool = false
    ) async throws -> OpenedExport {
        let lines = runs.map { run in
            let pages = followsPages ? #", "follow_pages": true"# : ""
            return #"{"stored_action_id": "\#(id(action))", "run_id": "\#(LedgerFixture.key(run).runID)"\#(pages)}"#
        }
        let path = NSTemporaryDirectory() + "\(UUID()).json"
        try #"{"version": 1, "name": "\#(name)", "runs": [\#(lines.joined(separator: ","))]}"#
            .write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let manifests = try ManifestReader.read(
            [ManifestSource(.file(path: path))], temporaryDirectory: NSTemporaryDirectory())
        let ledger = try await Ledger.begin(
            manifests, origin: origin(account), refetch: false, adopts: adopts, session: db.session, at: now)
        return try await OpenedExport(ledger, manifests: manifests, database: db.database, at: now)
    }

    private static func origin(_ account: ZapierAccount) -> ExportOrigin {
        ExportOrigin(apiURL: "http://127.0.0.1", toolVersion: "test", host: "here", account: account)
    }

    private static func id(_ action: Int) -> UUID {
        UUID(uuidString: "4f4e0000-0000-4000-8000-" + String(format: "%012d", action))!
    }

    private static let tables = [
        "actions", "runs", "exports", "export_manifests", "export_items", "page_chains", "page_intents",
    ]

    private static func everything(_ db: LedgerFixture) async throws -> [String] {
        var rows: [String] = []
        for table in tables { rows += try await db.texts("select x::text from stored_actions.\(table) x order by 1") }
        return rows
    }

    @Test("A stored action of another account is a problem of the manifest, and nothing is written")
    func foreign() async throws {
        try await LedgerFixture.with { db in
            _ = try await Self.open(db, runs: [1])
            let before = try await Self.everything(db)
            let problems = await #expect(throws: ManifestProblems.self) {
                _ = try await Self.open(db, runs: [1, 2], account: Self.other)
            }
            #expect(problems?.totalCount == 1)
            let problem = try #require(problems?.problems.first)
            #expect(problem.place == "stored_actions.\(Self.id(1).uuidString.lowercased())")
            #expect(problem.message.contains("default") && problem.message.contains("--adopt"))
            #expect(problem.source.hasSuffix(".json"))
            #expect(try await Self.everything(db) == before)
        }
    }

    @Test("Adopting moves the stored action, and what is its, to the account that asks")
    func adopted() async throws {
        try await LedgerFixture.with { db in
            _ = try await Self.open(db, runs: [1])
            _ = try await Self.open(db, runs: [2], account: Self.other, adopts: true)
            #expect(try await db.texts("select account from stored_actions.actions") == ["other"])
            let rest = try await db.openUnfinished(origin: Self.origin(Self.other), at: Self.now)
            #expect(try await rest.balance().items == 2)
            await #expect(throws: ManifestProblems.self) { _ = try await Self.open(db, runs: [1]) }
        }
    }

    @Test("What is unfinished is the account's alone, also where it is only counted")
    func unfinished() async throws {
        try await LedgerFixture.with { db in
            let mine = try await Self.open(db, action: 1, runs: [1, 2])
            let others = try await Self.open(db, action: 2, runs: [3, 4, 5], account: Self.other)
            #expect(try await mine.remains(at: Self.now).elsewhere.runs == 0)
            #expect(try await others.remains(at: Self.now).elsewhere.runs == 0)
            let rest = try await db.openUnfinished(origin: Self.origin(.standard), at: Self.now)
            #expect(
                try await rest.take(.first).map(\.key.storedActionID)
                    == [Self.id(1), Self.id(1)])
            let next = try await Self.open(db, action: 3, runs: [6], name: "next")
            #expect(try await next.remains(at: Self.now).elsewhere.runs == 2)
        }
    }

    @Test("A killed export is closed by the next one of its manifest's name and account, and by no other")
    func killed() async throws {
        try await LedgerFixture.with { db in
            _ = try await Self.open(db, action: 1, runs: [1])
            _ = try await db.openUnfinished(origin: Self.origin(.standard), at: Self.now)
            _ = try await Self.open(db, action: 2, runs: [2], account: Self.other)
            _ = try await db.openUnfinished(origin: Self.origin(Self.other), at: Self.now)
            let running = "select count(*) from stored_actions.exports where outcome = 'running'"
            #expect(try await db.texts(running) == ["4"])
            _ = try await Self.open(db, action: 1, runs: [1])
            _ = try await db.openUnfinished(origin: Self.origin(.standard), at: Self.now)
            #expect(
                try await db.texts(
                    "select account || ' ' || outcome from stored_actions.exports where export_id <= 4 order by export_id"
                )
                    == ["default interrupted", "default interrupted", "other running", "other running"])
        }
    }

    private static func history(
        _ db: LedgerFixture, export: Int? = nil, of account: ZapierAccount
    ) async throws -> ExportHistory {
        try await ExportHistory.read(
            export: export, account: account, migrator: Migrator(toolVersion: "test"), session: db.session)
    }

    @Test("The history shows the account's exports, and what is left of its runs")
    func history() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await Self.open(db, action: 1, runs: [1])
            _ = try await Self.open(db, action: 2, runs: [2, 3], account: Self.other)
            let history = try await Self.history(db, of: Self.other)
            #expect(history.exports.map(\.items) == [2])
            #expect(history.left.runs == 2)
            let none = try await Self.history(db, export: ledger.exportID, of: Self.other)
            #expect(none.exports.isEmpty)
            let own = try await Self.history(db, of: .standard)
            #expect(own.left.runs == 1)
        }
    }

    @Test("Chains in doubt are reported to their account, and resolved by it alone")
    func chains() async throws {
        try await LedgerFixture.with { db in
            _ = try await Self.open(db, runs: [1], account: Self.other, followsPages: true)
            _ = try await db.session.query(
                "update stored_actions.page_chains set pages = 1, end_reason = 'submit_unknown', next_page = '1'")
            let root = LedgerFixture.key(1).runID
            for (account, count) in [(ZapierAccount.standard, 0), (Self.other, 1)] {
                let left = try await Self.history(db, of: account).left
                #expect(left.chainsInDoubtCount == count && left.chainsInDoubt.count == count)
            }
            let refusal = await #expect(throws: ChainResolution.Refusal.self) {
                _ = try await ChainResolution(session: db.session).resolve(root: root, of: nil, as: .notSent)
            }
            #expect(refusal == .noChain(root: root, account: .standard))
            let resolved = try await ChainResolution(session: db.session, account: Self.other)
                .resolve(root: root, of: nil, as: .notSent)
            #expect(resolved.storedActionID == Self.id(1))
        }
    }

    @Test("Pruning keeps to the account")
    func pruned() async throws {
        try await LedgerFixture.with { db in
            for (action, account) in [(1, ZapierAccount.standard), (2, Self.other)] {
                _ = try await Self.open(db, action: action, runs: [action], account: account)
            }
            _ = try await db.session.query(
                """
                update stored_actions.runs
                   set outcome = 'success', fetched_at = $1, checked_at = $1, extra = '{}'
                """, [.timestamp(Self.now - 100 * 86_400)])
            let pruner = Pruner(session: db.session)
            #expect(try await pruner.contains(storedAction: Self.id(2), of: Self.other))
            #expect(try await !pruner.contains(storedAction: Self.id(2), of: .standard))
            let scope = PruneScope(olderThan: .seconds(90 * 86_400), account: Self.other, at: Self.now)
            #expect(try await pruner.prune(scope, dryRun: false))
            #expect(
                try await db.texts(
                    "select stored_action_id from stored_actions.runs where pruned_at is not null")
                    == [Self.id(2).uuidString.lowercased()])
        }
    }

    @Test("Witnesses are stored actions that the account has had results of, those first that the export asks for")
    func witnesses() async throws {
        try await LedgerFixture.with { db in
            for action in 1...4 { _ = try await Self.open(db, action: action, runs: [action]) }
            _ = try await Self.open(db, action: 5, runs: [5], account: Self.other)
            _ = try await db.session.query(
                """
                update stored_actions.runs set outcome = case when stored_action_id = $1 then 'expired' else 'success' end
                """, [.uuid(Self.id(1))])
            let ledger = try await Self.open(db, action: 3, runs: [30, 31])
            func witnesses(_ export: OpenedExport, limit: Int) async throws -> [UUID] {
                try await export.ledger.actionsWithResults(
                    preferring: await export.opening.firstActions, limit: limit)
            }
            #expect(try await witnesses(ledger, limit: 10) == [Self.id(3), Self.id(2), Self.id(4)])
            #expect(try await witnesses(ledger, limit: 1) == [Self.id(3)])
            let others = try await Self.open(db, action: 6, runs: [6], account: Self.other)
            #expect(try await witnesses(others, limit: 10) == [Self.id(5)])
        }
    }

    @Test("Manifests of one name keep apart exports of one account, not those of two")
    func locks() async throws {
        try await TestServer.withDatabase { database in
            let first = try await PostgresConnection(database)
            let second = try await PostgresConnection(database)
            let third = try await PostgresConnection(database)
            for names in [["today"], [ExportLock.unfinished]] {
                try await ExportLock(names: names).acquire(on: first)
                try await ExportLock(names: names, account: Self.other).acquire(on: second)
                await #expect(throws: ExportLock.Taken.self) {
                    try await ExportLock(names: names, account: Self.other).acquire(on: third)
                }
                await #expect(throws: ExportLock.Taken.self) {
                    try await ExportLock(names: names).acquire(on: third)
                }
            }
            for connection in [first, second, third] { await connection.close() }
        }
    }

    private static let migrationsBefore = Array(Migration.all.prefix { $0.name != "accounts" })

    @Test("What is stored before there are accounts is the standard account's")
    func migrated() async throws {
        try await TestServer.withDatabase { database in
            try await PostgresSession.withSession(database) { session in
                _ = try await Migrator(migrations: Self.migrationsBefore, toolVersion: "test").migrate(on: session)
                _ = try await session.query(
                    "insert into stored_actions.actions (stored_action_id) values ($1)", [.uuid(Self.id(1))])
                _ = try await session.query(
                    """
                    insert into stored_actions.exports (call_id, api_url, tool_version, host)
                    values ($1, 'http://127.0.0.1', 'old', 'here')
                    """, [.uuid(UUID())])
                _ = try await Migrator(toolVersion: "test").migrate(on: session)
                let accounts = try await session.query(
                    "select account from stored_actions.actions union all select account from stored_actions.exports")
                #expect(try accounts.map { try $0.decode("account", as: String.self) } == ["default", "default"])
            }
        }
    }

    @Test(
        "A name that nobody could tell from another one is none",
        arguments: ["", " ", "a ", "\ta", "a\u{0}b", "a\nb", String(repeating: "x", count: 201), "a\u{1B}[2Jb"])
    func fault(name: String) {
        #expect(ZapierAccount(name: name) == nil)
        #expect(ZapierAccount.fault(name) != nil)
    }

    @Test("Any other text names an account", arguments: ["default", "a", "Kunde 7 (Süd)", "42", "日本"])
    func named(name: String) {
        #expect(ZapierAccount(name: name)?.name == name)
    }
}
