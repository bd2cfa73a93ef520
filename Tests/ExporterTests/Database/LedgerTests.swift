import Foundation
import Postgres
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The ledger")
struct LedgerTests {
    static let now = Date(timeIntervalSince1970: 1_800_000_000)

    @Test(
        "What is settled is not asked again",
        arguments: [
            ("success", nil, 1, true), ("error", nil, 1, true),
            ("expired", "past_retention", 1, true), ("expired", "age_unknown", 1, false),
            ("expired", "seen_alive", 1, false), ("expired", "age_unknown", 8, true),
            ("expired", "seen_alive", 8, true),
            ("not_found", nil, 1, false), ("not_found", nil, 8, true),
            ("forbidden", nil, 1, false), ("forbidden", nil, 8, true),
            ("rejected", nil, 1, false), ("rejected", nil, 8, true),
            ("waiting", nil, 8, false), ("pending", nil, 8, false), ("failed", nil, 8, false),
            ("queued", nil, 8, false),
        ] as [(String, String?, Int, Bool)])
    func settled(outcome: String, evidence: String?, daysOld: Int, settled: Bool) async throws {
        try await LedgerFixture.with { db in
            _ = try await db.open([(1, Self.now - Double(daysOld) * 86_400)], at: Self.now)
            _ = try await db.session.query(
                "update stored_actions.runs set outcome = $1, evidence = $2", [.text(outcome), .text(evidence)])
            let ledger = try await db.open([(1, nil)], at: Self.now)
            #expect(
                try await db.texts(
                    "select concat_ws(' ', outcome, action) from stored_actions.export_items where export_id = \(ledger.exportID)"
                )
                    == [settled ? "\(outcome) already_settled" : "queued not_reached"])
            let refetch = try await db.open([(1, nil)], refetch: true, at: Self.now)
            #expect(try await refetch.lateFetches(after: nil, limit: 10).count == 1)
            #expect(try await ledger.unfinishedElsewhere(at: Self.now).runs == 0)
            let other = try await db.open([(2, nil)], name: "other", at: Self.now)
            #expect(try await other.unfinishedElsewhere(at: Self.now).runs == (settled ? 0 : 1))
        }
    }

    @Test("A run expires seven days after it was executed, or else after it was first seen")
    func expiry() async throws {
        try await LedgerFixture.with { db in
            _ = try await db.open([(1, Self.now - 3600), (2, nil)], at: Self.now)
            _ = try await db.open([(1, nil), (2, nil)], name: "later", at: Self.now + 1000)
            let rows = try await db.session.query(
                "select expires_at, first_seen_at, executed_at from stored_actions.runs order by run_id")
            #expect(try rows[0].decode("expires_at") == Self.now - 3600 + 7 * 86_400)
            #expect(try rows[0].decode("executed_at") == Self.now - 3600)
            #expect(try rows[1].decode("expires_at") == Self.now + 7 * 86_400)
            #expect(try rows.map { try $0.decode("first_seen_at", as: Date.self) } == [Self.now, Self.now])
        }
    }

    @Test("A refetch that was cut short goes on where it ended, a new one begins again")
    func refetchContinues() async throws {
        try await LedgerFixture.with { db in
            let runs = (1...3).map { (number: $0, executedAt: nil as Date?) }
            let first = try await db.open(runs)
            try await db.commit((1...3).map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.one) }, to: first)
            var refetch = try await db.open(runs, refetch: true)
            #expect(try await refetch.balance().alreadySettled == 0)
            try await db.commit(
                [LedgerFixture.loaded(1, status: 200, body: LoaderTests.one)], to: refetch, refetch: true)
            refetch = try await db.open(runs, refetch: true)
            #expect(try await refetch.balance().alreadySettled == 1)
            try await db.commit(
                (2...3).map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.one) }, to: refetch, refetch: true
            )
            #expect(try await db.open(runs, refetch: true).balance().alreadySettled == 0)
        }
    }

    @Test("A later manifest may tell when a run was executed")
    func datedLater() async throws {
        try await LedgerFixture.with { db in
            _ = try await db.open([(1, nil)], at: Self.now)
            let ledger = try await db.open([(1, Self.now - 8 * 86_400)], at: Self.now)
            #expect(try await ledger.firstFetches(after: nil, limit: 10, at: Self.now).isEmpty)
            let late = try await ledger.lateFetches(after: nil, limit: 10)
            #expect(late.map(\.expiresAt) == [Self.now - 86_400])
        }
    }

    @Test("The work list comes in batches by expiry, those past their time apart")
    func workList() async throws {
        try await LedgerFixture.with { db in
            let runs = (1...6).map { (number: $0, executedAt: Self.now - Double(10 - $0) * 86_400 + 3600 as Date?) }
            let ledger = try await db.open(runs, at: Self.now)
            let first = try await ledger.firstFetches(after: nil, limit: 2, at: Self.now)
            let second = try await ledger.firstFetches(
                after: first.last.map { WorkCursor(expiresAt: $0.expiresAt, key: $0.key) }, limit: 10, at: Self.now)
            #expect((first + second).map(\.key) == (3...6).map(LedgerFixture.key))
            #expect(try await ledger.lateFetches(after: nil, limit: 2).map(\.key) == (1...2).map(LedgerFixture.key))
        }
    }

    @Test("An export that was killed is marked interrupted by the next one of its manifest, and by no other")
    func killed() async throws {
        try await LedgerFixture.with { db in
            _ = try await db.open([(1, nil)], name: "a")
            _ = try await db.open([(1, nil)], name: "b")
            #expect(
                try await db.texts("select outcome from stored_actions.exports order by 1") == ["running", "running"])
            _ = try await db.open([(1, nil)], name: "a")
            #expect(
                try await db.texts(
                    "select concat(outcome, finished_at is not null) from stored_actions.exports order by export_id")
                    == ["interruptedt", "runningf", "runningf"])
        }
    }

    @Test("Runs that may have been under way when an export died are suspects, in no queue but their own")
    func suspects() async throws {
        try await LedgerFixture.with { db in
            // The database tells by its own clock which runs were past their time.
            let now = Date()
            var runs: [(number: Int, executedAt: Date?)] = (1...6).map { ($0, now - 86_400 + Double($0)) }
            runs.append((7, now - 30 * 86_400))
            let first = try await db.open(runs, at: now)
            try await db.commit(
                [2, 4].map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.one) }, to: first)
            let second = try await db.open(runs, concurrency: 2, at: now)
            func keys(_ numbers: Int...) -> [RunKey] { numbers.map(LedgerFixture.key) }
            func left(_ ledger: Ledger) async throws -> [RunKey] {
                try await ledger.firstFetches(after: nil, limit: 10, at: now).map(\.key)
            }
            #expect(try await left(second) == keys(5, 6))
            #expect(try await second.lateFetches(after: nil, limit: 10).map(\.key) == keys(7, 5, 6))
            #expect(try await second.suspects(limit: 10).map(\.key) == keys(1, 3))
            #expect(try await second.suspects(limit: 10).allSatisfy(\.isSuspect))
            #expect(
                try await db.texts("select outcome from stored_actions.runs where failure like 'an export died%'")
                    == ["failed", "failed"])
            // It dies of the first suspect, which then goes behind the other; two more were under way, perhaps.
            try await second.willAskSuspect(LedgerFixture.key(1))
            let third = try await db.open(runs, concurrency: 2, at: now)
            #expect(try await left(third) == [])
            #expect(try await third.suspects(limit: 10).map(\.key) == keys(3, 5, 6, 1))
            // An answer ends it.
            try await db.commit(
                [LedgerFixture.loaded(3, status: 202, body: ""), LedgerFixture.loaded(5, status: 500, body: "")],
                to: third)
            let fourth = try await db.open(runs, at: now)
            #expect(try await left(fourth) == keys(3, 5))
            #expect(try await fourth.suspects(limit: 10).map(\.key) == keys(6, 1))
        }
    }

    @Test("An export that ends before it has come to its suspects releases them: the next one asks in their order")
    func releasedSuspects() async throws {
        try await LedgerFixture.with { db in
            let now = Date()
            let runs: [(number: Int, executedAt: Date?)] = (1...4).map { ($0, now - 86_400 + Double($0)) }
            _ = try await db.open(runs, at: now)
            let second = try await db.open(runs, concurrency: 2, at: now)
            #expect(try await second.suspects(limit: 10).map(\.key) == [1, 2].map(LedgerFixture.key))
            try await second.releaseSuspects()
            #expect(try await second.suspects(limit: 10).isEmpty)
            try await second.finish(
                "incomplete", exitStatus: 75, reason: nil, balance: nil, requests: RequestCount())
            let third = try await db.open(runs, concurrency: 2, at: now)
            #expect(
                try await third.firstFetches(after: nil, limit: 10, at: now).map(\.key)
                    == (1...4).map(LedgerFixture.key))
            #expect(try await third.suspects(limit: 10).isEmpty)
        }
    }

    @Test("A run that another export stores at that moment does not become a suspect")
    func storedMeanwhile() async throws {
        try await LedgerFixture.with { db in
            let now = Date()
            let runs: [(number: Int, executedAt: Date?)] = [(1, now - 86_400)]
            _ = try await db.open(runs, at: now)
            let other = try await db.open(runs, name: "other", at: now)
            // Holds the run's row as the other export's batch does, and stores it before it lets go.
            try await PostgresSession.withSession(db.database) { holder in
                async let storing: Void = {
                    try await holder.transaction { transaction in
                        _ = try transaction.query("select from stored_actions.runs for update")
                        try transaction.waitUntilSomebodyWaits()
                        _ = try transaction.query("update stored_actions.runs set outcome = 'success'")
                    } wasCommitted: { _ in
                        true
                    }
                }()
                let holders = """
                    select count(*) from pg_locks
                     where relation = 'stored_actions.runs'::regclass and mode = 'RowShareLock' and pid <> pg_backend_pid()
                    """
                while try await db.texts(holders) == ["0"] { await Task.yield() }
                _ = try await db.open(runs, concurrency: 1, at: now)
                try await storing
            }
            #expect(try await db.texts("select outcome from stored_actions.runs") == ["success"])
            #expect(try await other.suspects(limit: 10).isEmpty)
        }
    }

    @Test("--unfinished takes up what is unsettled of all manifests")
    func unfinished() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, Self.now), (2, Self.now - 86_400), (3, Self.now)], at: Self.now)
            try await db.commit([LedgerFixture.loaded(3, status: 200, body: LoaderTests.one)], to: ledger)
            let rest = try await Ledger.openUnfinished(
                origin: ExportOrigin(apiURL: "", toolVersion: "", host: ""), session: db.session, at: Self.now)
            #expect(
                try await rest.firstFetches(after: nil, limit: 10, at: Self.now).map(\.key)
                    == [LedgerFixture.key(2), LedgerFixture.key(1)])
            #expect(try await rest.balance().items == 2)
        }
    }

    @Test("The account counts every item once")
    func account() async throws {
        try await LedgerFixture.with { db in
            let before = try await db.open([(1, nil)])
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: LoaderTests.three)], to: before)
            let ledger = try await db.open([(1, nil), (2, nil), (3, nil), (4, nil)])
            try await db.commit(
                [
                    LedgerFixture.loaded(2, status: 200, body: LoaderTests.three),
                    LedgerFixture.loaded(3, status: 202, body: ""),
                ], to: ledger)
            let account = try await ledger.balance()
            #expect(account.items == 4)
            #expect(account.outcomes == [.success: 2, .pending: 1, .queued: 1])
            #expect(account.alreadySettled == 1)
            #expect(account.results == 3)
        }
    }
}

@Suite("The lock of a manifest")
struct ExportLockTests {
    @Test("Keeps a second export of the same manifest out, and ends with its connection")
    func exclusive() async throws {
        try await TestServer.withDatabase { database in
            let first = try await PostgresConnection(database)
            let second = try await PostgresConnection(database)
            try await ExportLock(names: ["a", "b"]).acquire(on: first)
            try await ExportLock(names: ["c"]).acquire(on: second)
            let taken = await #expect(throws: ExportLock.Taken.self) {
                try await ExportLock(names: ["a", "d"]).acquire(on: second)
            }
            #expect(taken?.name == "a")
            await first.close()
            let third = try await PostgresConnection(database)
            // The server process of a closed connection may take a moment to end.
            var tries = 0
            while true {
                do {
                    try await ExportLock(names: ["a", "b"]).acquire(on: third)
                    break
                } catch is ExportLock.Taken where tries < 1000 {
                    tries += 1
                }
            }
            await second.close()
            await third.close()
        }
    }

    @Test("Who gets not all locks has none")
    func allOrNone() async throws {
        try await TestServer.withDatabase { database in
            let first = try await PostgresConnection(database)
            let second = try await PostgresConnection(database)
            try await ExportLock(names: ["b"]).acquire(on: first)
            await #expect(throws: ExportLock.Taken.self) {
                try await ExportLock(names: ["a", "b"]).acquire(on: second)
            }
            try await ExportLock(names: ["a"]).acquire(on: first)
            await first.close()
            await second.close()
        }
    }
}
