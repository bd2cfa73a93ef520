import ExportCore
import Foundation
import Postgres
import Support
import Testing

@testable import Exporter

@Suite("Stores")
struct StoreTests {
    @Test func `The list of tables that hang on a run has all of them`() async throws {
        try await LedgerFixture.with { db in
            let tables = try await db.texts(
                """
                select c.relname
                  from pg_class c
                  join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'stored_actions' and c.relkind in ('r', 'p')
                   and (select count(*) from pg_attribute a
                         where a.attrelid = c.oid and a.attname in ('stored_action_id', 'run_id')) = 2
                """)
            // Work lists and intents are the history of exports: they stay.
            let others = ["runs", "export_items", "page_intents"]
            #expect(Set(tables) == Set(RunTable.allCases.map(\.rawValue) + others))
        }
    }

    @Test func `The columns that rows are sent to are those of the tables, in their types`() async throws {
        try await LedgerFixture.with { db in
            #expect(try await SchemaChanges(on: db.session).refusal == nil)
            try await db.execute("alter table stored_actions.run_bodies rename column body to content")
            try await db.execute("alter table stored_actions.export_items alter column result_count type bigint")
            try await db.execute("alter table stored_actions.runs rename column first_seen_at to first_seen")
            let refusal = try await SchemaChanges(on: db.session).refusal
            #expect(
                refusal == .wrongColumns(["runs.first_seen_at", "export_items.result_count", "run_bodies.body"]))
        }
    }

    @Test func `Runs that another export brings in the same moment are opened by both`() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(2, nil)])
            let runs = OpeningStore.NamedRuns([3, 2, 1].map { OpeningStore.Named(key: LedgerFixture.key($0)) })
            try await db.session.transaction { transaction in
                try OpeningStore.insert(runs, exportID: ledger.exportID + 1, at: Date(), in: transaction)
            } wasCommitted: { _ in
                true
            }
            let outcomes = try await db.texts(
                "select concat_ws(' ', outcome, root_run_id = run_id, export_id) from stored_actions.runs order by run_id"
            )
            #expect(
                outcomes == [
                    "queued t \(ledger.exportID + 1)", "queued t \(ledger.exportID)", "queued t \(ledger.exportID + 1)",
                ])
        }
    }

    @Test(arguments: RunTable.allCases)
    func `A loader may replace the rows of each table that hangs on a run`(table: RunTable) throws {
        let right = try Regex(#"\('\#(table.rawValue)',\s*'select, insert, delete'\)"#)
        #expect(Roles().sql.contains(right))
    }

    @Test func `A result is kept until a better one comes, all else until the next answer`() {
        #expect(RunTable.ofResult == [.results, .errors])
        #expect(RunTable.ofLastAnswer == [.apiErrors, .rejects, .runBodies])
    }

    @Test func `Keys come back from the database as they went there`() async throws {
        try await TestServer.withDatabase { database in
            let connection = try await PostgresConnection(database)
            let keys = (0..<3).map { _ in RunKey(storedActionID: UUID(), runID: UUID()) }
            let all = try await connection.query(
                "select k.stored_action_id, k.run_id from \(RunKey.unnested())", keys.parameters
            ).map { try RunKey($0) }
            #expect(Set(all) == Set(keys))
            let behind = try await connection.query(
                "select x.* from \(RunKey.unnested(as: "x", at: 2)) where $1::bigint = 7",
                [.int(7)] + keys.parameters
            ).map { try RunKey($0) }
            #expect(Set(behind) == Set(keys))
            #expect(
                try await connection.query("select k.* from \(RunKey.unnested())", [RunKey]().parameters).isEmpty)
            let root = try await connection.query(
                "select $1::uuid as stored_action_id, $2::uuid as root_run_id", keys[0].parameters
            ).map { try RunKey($0, run: "root_run_id") }
            #expect(root == [keys[0]])
            let absent: RunKey? = nil
            let none = try await connection.query(
                "select $1::uuid is null and $2::uuid is null as yes", absent.parameters
            ).first?.decode("yes", as: Bool.self)
            #expect(none == true)
            await connection.close()
        }
    }

    @Test func `A killed export is closed with its suspects, and none of another account or manifest`() async throws {
        try await LedgerFixture.with { db in
            let killed = try await db.open([(1, nil)])
            _ = try await killed.take(.first)
            let other = try await db.open([(2, nil)], name: "other")
            let stranger = try #require(ZapierAccount(name: "else"))
            let found = try await db.session.transaction { transaction in
                (
                    own: try ExportStore.killed(of: ["test"], account: .standard, in: transaction),
                    foreign: try ExportStore.killed(
                        of: ["test"], account: stranger, in: transaction),
                    withoutManifest: try ExportStore.killed(of: [], account: .standard, in: transaction)
                )
            } wasCommitted: { _ in
                true
            }
            #expect(found.own == [killed.exportID])
            #expect(found.foreign.isEmpty)
            #expect(found.withoutManifest.isEmpty)
            _ = try await db.open([(1, nil)], concurrency: 1)
            let outcomes = "select outcome from stored_actions.exports where export_id = "
            #expect(try await db.texts(outcomes + "\(killed.exportID)") == ["interrupted"])
            #expect(try await db.texts(outcomes + "\(other.exportID)") == ["running"])
            #expect(try await db.texts("select 1 from stored_actions.exports where in_hand_runs is not null").isEmpty)
            let suspects = """
                select run_id from stored_actions.runs where outcome = 'failed' and failure = '\(Suspects.failure)'
                """
            #expect(try await db.texts(suspects) == [LedgerFixture.key(1).runID.uuidString.lowercased()])
        }
    }

    @Test(arguments: [
        ("forget_chains", SQL.forgetChains), ("insert_chains", SQL.insertChains), ("known_runs", SQL.knownRuns),
        ("lock_holders", SQL.lockHolders), ("mark_suspects", SQL.markSuspects), ("rehearsal", SQL.rehearsal),
        ("schema_strangers", SQL.schemaStrangers),
    ])
    func `A statement in a file of its own is in the binary, and says at its head what it does`(
        name: String, sql: String
    ) {
        #expect(sql.hasPrefix("-- "))
        #expect(sql.contains("\n"))
    }
}
