import Foundation
import Logging
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
            let export = try await db.open([(1, nil)], at: Self.now)
            #expect(
                try await export.balance().outcomes == [settled ? try Outcome(named: outcome) : .queued: 1])
            #expect(try await export.balance().alreadySettled == (settled ? 1 : 0))
            #expect(try await db.texts("select 1 from stored_actions.export_items").isEmpty)
            let refetch = try await db.open([(1, nil)], refetch: true, at: Self.now)
            #expect(try await (refetch.take(.first) + refetch.take(.late)).count == 1)
            #expect(try await export.remains(at: Self.now).elsewhere.runs == 0)
            let other = try await db.open([(2, nil)], name: "other", at: Self.now)
            #expect(try await other.remains(at: Self.now).elsewhere.runs == (settled ? 0 : 1))
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
            try await refetch.finish()
            refetch = try await db.open(runs, refetch: true)
            #expect(try await refetch.balance().alreadySettled == 1)
            try await db.commit(
                (2...3).map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.one) }, to: refetch, refetch: true
            )
            try await refetch.finish(isRefetchDone: true)
            #expect(try await db.open(runs, refetch: true).balance().alreadySettled == 0)
        }
    }

    @Test("A later manifest may tell when a run was executed")
    func datedLater() async throws {
        try await LedgerFixture.with { db in
            _ = try await db.open([(1, nil)], at: Self.now)
            let export = try await db.open([(1, Self.now - 8 * 86_400)], at: Self.now)
            #expect(try await export.take(.first).isEmpty)
            #expect(try await export.take(.late).map(\.expiresAt) == [Self.now - 86_400])
        }
    }

    @Test("The work list comes by expiry, whatever the steps that opened it, those past their time apart")
    func workList() async throws {
        try await LedgerFixture.with { db in
            let runs = (1...6).map { (number: $0, executedAt: Self.now - Double(10 - $0) * 86_400 + 3600 as Date?) }
            let export = try await db.open(runs, stepSize: 1, at: Self.now)
            let (first, second) = (try await export.take(.first, limit: 2), try await export.take(.first))
            #expect((first + second).map(\.key) == (3...6).map(LedgerFixture.key))
            #expect(try await export.take(.late).map(\.key) == (1...2).map(LedgerFixture.key))
        }
    }

    @Test("Opening an export of settled runs writes no row of any table but its own")
    func opensNothing() async throws {
        try await LedgerFixture.with { db in
            let runs = (1...5).map { (number: $0, executedAt: nil as Date?) }
            let first = try await db.open(runs, followsPages: true)
            try await db.commit((1...5).map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.one) }, to: first)
            // Versions of rows: an update or a lock would change them.
            let versions = """
                select string_agg(concat_ws(' ', n.name, n.row), ', ' order by n.name, n.row) from (
                  select 'runs', concat(run_id, xmin, xmax) from stored_actions.runs
                  union all select 'actions', concat(stored_action_id, xmin, xmax) from stored_actions.actions
                  union all select 'chains', concat(root_run_id, xmin, xmax) from stored_actions.page_chains
                  union all select 'items', concat(run_id, xmin, xmax) from stored_actions.export_items) as n(name, row)
                """
            let second = try await db.open(runs, followsPages: true)
            let before = try await db.texts(versions)
            let third = try await db.open(runs, followsPages: true)
            #expect(try await third.balance().alreadySettled == 5)
            #expect(try await db.texts(versions) == before)
            #expect(try await second.balance().outcomes == [.success: 5])
        }
    }

    @Test("Of many steps each run is opened once: settled ones are passed over, dated ones get their dates")
    func lookAhead() async throws {
        try await LedgerFixture.with { db in
            let runs = (1...40).map { (number: $0, executedAt: nil as Date?) }
            let first = try await db.open(runs, stepSize: 3, at: Self.now)
            try await db.commit(
                (1...40).filter { $0 % 4 != 0 }.map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.one) },
                to: first)
            var dated = runs + (41...50).map { (number: $0, executedAt: nil) }
            dated[8].executedAt = Self.now - 86_400
            let second = try await db.open(dated, stepSize: 3, at: Self.now)
            let balance = try await second.balance()
            #expect(balance.items == 50)
            #expect(balance.alreadySettled == 30)
            #expect(balance.outcomes == [.success: 30, .queued: 20])
            #expect(try await second.take(.first, limit: 100).count == 20)
            #expect(
                try await db.texts("select run_id from stored_actions.runs where executed_at is not null")
                    == [LedgerFixture.key(9).runID.uuidString.lowercased()])
            #expect(try await db.texts("select count(*) from stored_actions.runs") == ["50"])
        }
    }

    @Test("What steps have opened stays, although the export ends before the others")
    func cutOff() async throws {
        try await LedgerFixture.with { db in
            let runs = (1...5).map { (number: $0, executedAt: nil as Date?) }
            let manifests = try db.manifests(runs)
            let ledger = try await Ledger.begin(
                manifests, origin: LedgerFixture.origin, refetch: false, session: db.session, at: Self.now)
            let list = WorkList(directory: NSTemporaryDirectory())
            let opening = ExportOpening(
                of: ledger, manifests: manifests, list: list, stepSize: 2, database: db.database,
                logger: Logger(label: "test"))
            #expect(try await opening.openStep(at: Self.now) == OpenedStep(filled: [.first], isLast: false))
            #expect(try await opening.openStep(at: Self.now) == OpenedStep(filled: [.first], isLast: false))
            #expect(try await db.texts("select count(*) from stored_actions.runs") == ["4"])
            let notReached = await list.notReached(unopened: await opening.unopened)
            var keys: [RunKey] = []
            try notReached.forEachRun { keys.append($0) }
            #expect(notReached.openedCount == 4)
            #expect(Set(keys) == Set((1...5).map(LedgerFixture.key)))
            await opening.close()
            let balance = ExportBalance(
                items: manifests.runCount, found: await opening.found, recorded: [:], results: 0)
            #expect(balance.outcomes == [.queued: 5])
            #expect(try await db.open(runs).opening.found.unsettledCount == 5)
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
            #expect(try await first.take(.first).count == 6)
            try await db.commit(
                [2, 4].map { LedgerFixture.loaded($0, status: 200, body: LoaderTests.one) }, to: first)
            let second = try await db.open(runs, concurrency: 2, at: now)
            func keys(_ numbers: Int...) -> [RunKey] { numbers.map(LedgerFixture.key) }
            #expect(try await second.take(.first).map(\.key) == keys(5, 6))
            #expect(try await second.take(.late).map(\.key) == keys(7))
            let suspects = try await second.take(.suspects)
            #expect(suspects.map(\.key) == keys(1, 3))
            #expect(suspects.map(\.isSuspect) == [true, true])
            #expect(
                try await db.texts("select outcome from stored_actions.runs where failure like 'an export died%'")
                    == ["failed", "failed"])
            // It dies of the first suspect, which then goes behind the other; two more were under way, perhaps.
            try await second.ledger.willAskSuspect(LedgerFixture.key(1))
            let third = try await db.open(runs, concurrency: 2, at: now)
            #expect(try await third.take(.first) == [])
            #expect(try await third.take(.suspects).map(\.key) == keys(3, 5, 6, 1))
            // An answer ends it.
            try await db.commit(
                [LedgerFixture.loaded(3, status: 202, body: ""), LedgerFixture.loaded(5, status: 500, body: "")],
                to: third)
            try await third.finish()
            let fourth = try await db.open(runs, at: now)
            #expect(try await fourth.take(.first).map(\.key) == keys(3, 5))
            #expect(try await fourth.take(.suspects).map(\.key) == keys(6, 1))
        }
    }

    @Test("An export that ends before it has come to its suspects releases them: the next one asks in their order")
    func releasedSuspects() async throws {
        try await LedgerFixture.with { db in
            let now = Date()
            let runs: [(number: Int, executedAt: Date?)] = (1...4).map { ($0, now - 86_400 + Double($0)) }
            let first = try await db.open(runs, at: now)
            _ = try await first.take(.first)
            let second = try await db.open(runs, concurrency: 2, at: now)
            let suspects = try await second.list.takeSuspects()
            #expect(suspects == [1, 2].map(LedgerFixture.key))
            try await second.ledger.release(suspects: suspects)
            try await second.finish()
            let third = try await db.open(runs, concurrency: 2, at: now)
            #expect(try await third.take(.first).map(\.key) == (1...4).map(LedgerFixture.key))
            #expect(try await third.take(.suspects).isEmpty)
        }
    }

    @Test("A run that another export stores at that moment does not become a suspect")
    func storedMeanwhile() async throws {
        try await LedgerFixture.with { db in
            let now = Date()
            let runs: [(number: Int, executedAt: Date?)] = [(1, now - 86_400)]
            let first = try await db.open(runs, at: now)
            _ = try await first.take(.first)
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
                let free = "select 1 from stored_actions.runs for update skip locked"
                while try await !db.texts(free).isEmpty { await Task.yield() }
                _ = try await db.open(runs, concurrency: 1, at: now)
                try await storing
            }
            #expect(try await db.texts("select outcome from stored_actions.runs") == ["success"])
        }
    }

    @Test("--unfinished takes up what is unsettled of all manifests")
    func unfinished() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, Self.now), (2, Self.now - 86_400), (3, Self.now)], at: Self.now)
            try await db.commit([LedgerFixture.loaded(3, status: 200, body: LoaderTests.one)], to: ledger)
            let rest = try await db.openUnfinished(at: Self.now)
            #expect(try await rest.take(.first).map(\.key) == [LedgerFixture.key(2), LedgerFixture.key(1)])
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
