import Postgres
import Testing

extension Fault {
    static let refusedTransactions: [Fault] = [
        Fault(
            name: "serialization failure", detail: "at COPY",
            before: { scene in
                try await scene.stage.database.raise(
                    "40001", "could not serialize access", when: "n in (1, 2, 4, 5)", .beforeCOPY)
            },
            calls: [Call(times: 4, asksOnce: true)]),
        Fault(
            name: "serialization failure", detail: "at COMMIT",
            before: { scene in
                try await scene.stage.database.raise(
                    "40001", "could not serialize access", when: "n in (2, 3, 5)", .atCOMMIT)
            },
            calls: [Call(times: 3, asksOnce: true)]),
        Fault(
            name: "serialization failure", detail: "without end",
            before: { scene in
                try await scene.stage.database.raise("40001", "could not serialize access", when: "n > 2", .beforeCOPY)
            },
            calls: [Call(times: 1, statuses: [69], tells: ["could not serialize access", "40001"])],
            mend: { try await $0.stage.database.stopRaising() }),
        Fault(
            name: "deadlock", detail: "told by the server",
            before: { scene in
                try await scene.stage.database.raise("40P01", "deadlock detected", when: "n in (1, 3, 4)", .beforeCOPY)
            },
            calls: [Call(times: 3, asksOnce: true)]),
        Fault(
            name: "deadlock", detail: "with another session",
            calls: [
                Call(
                    database: [.held(at: .copy, .commit, occurrence: 1)], times: 1,
                    during: { act in
                        try await act.pulled()
                        try await act.scene.stage.database.deadlock { act.proxies.database.letGo() }
                    }, asksOnce: true)
            ],
            mend: { scene in
                try await wait("the server has counted a deadlock") {
                    try await scene.stage.database.count(
                        "pg_stat_database where datname = current_database() and deadlocks > 0") == 1
                }
            }),
        Fault(
            name: "full disk", detail: "at the start, in COPY and at COMMIT",
            before: { scene in
                try await scene.stage.database.raise("53100", "no space left on device", when: "n = 1", .opening)
                try await scene.stage.database.raise("53100", "no space left on device", when: "n = 3", .beforeCOPY)
                try await scene.stage.database.raise(
                    "53100", "no space left on device", when: "new.batches = 3", .atCOMMIT)
            },
            calls: Array(
                repeating: Call(times: 1, statuses: [69], tells: ["no space left on device", "cannot work"]), count: 3),
            mend: { try await $0.stage.database.stopRaising() }),
    ]
}

extension TestDatabase {
    /// Where a raised error strikes.
    enum Strike: String {
        case opening = "before insert on exports"
        case beforeCOPY = "before insert on results"
        case atCOMMIT = "after update on exports deferrable initially deferred"
    }

    /// Has the server refuse some of what the program does.
    ///
    /// - Parameter condition: n counts from 1; it is not taken back with the transaction.
    func raise(_ sqlstate: String, _ message: String, when condition: String, _ strike: Strike) async throws {
        let name = "raised_\(strike)"
        try await execute(
            """
            create sequence stored_actions.\(name);
            create function stored_actions.\(name)() returns trigger language plpgsql as $$
            declare n bigint := nextval('stored_actions.\(name)');
            begin
              if \(condition) then raise exception '\(message)' using errcode = '\(sqlstate)'; end if;
              return new;
            end $$;
            create \(strike == .atCOMMIT ? "constraint " : "")trigger \(name) \(strike.rawValue)
              for each \(strike == .atCOMMIT ? "row" : "statement") execute function stored_actions.\(name)();
            """)
    }

    func stopRaising() async throws {
        for strike in [Strike.opening, .beforeCOPY, .atCOMMIT] {
            try await execute("drop function if exists stored_actions.\("raised_\(strike)") cascade")
        }
    }

    /// Makes the program's next transaction and one of this test's wait for each other, until the server ends the
    /// program's. A batch locks its runs in the order of their keys: this one has every 20th, and wants the rest.
    func deadlock(whenReady: @escaping @Sendable () -> Void) async throws {
        let other = try await PostgresConnection(PostgresConfiguration(connectionString: "dbname=\(name)"))
        let pid: Int = try await other.query("select pg_backend_pid()::bigint as pid")[0].decode("pid")
        let both = Task {
            try await other.transaction { transaction in
                // The program looks for deadlocks, this session does not.
                try transaction.execute(script: "set local deadlock_timeout = '600s'")
                try transaction.execute(
                    script: """
                        select from stored_actions.runs
                         where run_id in (select run_id from (select run_id, row_number() over (order by run_id) as n
                                                                from stored_actions.runs) r where n % 20 = 10)
                           for update skip locked
                        """)
                whenReady()
                try transaction.execute(
                    script: """
                        do $$ begin
                          while not exists (select from pg_catalog.pg_stat_activity
                                             where \(pid) = any(pg_catalog.pg_blocking_pids(pid))) loop
                            perform pg_catalog.pg_sleep(0.01);
                            perform pg_catalog.pg_stat_clear_snapshot();
                          end loop;
                        end $$
                        """)
                // Comes through only once the program has let go of its own locks.
                try transaction.execute(
                    script: "select from stored_actions.runs order by run_id for update")
            }
        }
        try await both.value
        await other.close()
    }
}
