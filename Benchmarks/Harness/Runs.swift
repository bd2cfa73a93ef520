/// Runs as SQL makes them from a seed: the manifests and the prepared tables come from the same expressions.
struct Runs {
    /// Two lists of another name have no run in common.
    let name: String
    let count: Int

    /// `i` is a run's number, from 1.
    private var series: String { "generate_series(1, \(count)) i" }
    static let storedAction = "md5('\(Plan.seed) action ' || i % 10)::uuid"
    private var run: String { "md5('\(Plan.seed) \(name) ' || i)::uuid" }
    private static let executedAt = "date_trunc('day', now()) - interval '1 day' + i % 80000 * interval '1 second'"

    func writeManifest(to file: String) {
        Database.maintenance.write(
            """
            select line
              from (select 0 as i, '{"version": 1, "name": "\(name)", "runs": [' as line
                    union all
                    select i, format('{"stored_action_id": "%s", "run_id": "%s", "executed_at": "%s"}%s', \(Self.storedAction),
                                     \(run), to_char((\(Self.executedAt)) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                                     case when i < \(count) then ',' end)
                      from \(series)
                    union all
                    select \(count + 1), ']}') lines
             order by i
            """, to: file)
    }

    func writePaths(to file: String) {
        Database.maintenance.write(
            "select '/actions/v1/stored-actions/' || \(Self.storedAction) || '/runs/' || \(run) from \(series)",
            to: file)
    }

    /// Rows as an export leaves them that has fetched every run, of answers without results.
    func insertSettled(into database: Database) {
        database.run(
            """
            insert into stored_actions.actions (stored_action_id)
            select distinct \(Self.storedAction) from \(series)
            """)
        database.run(
            """
            insert into stored_actions.runs
                   (stored_action_id, run_id, root_run_id, outcome, status, http_status, type, executed_at, expires_at,
                    first_seen_at, fetched_at, checked_at, seen_alive, attempts, export_id)
            select \(Self.storedAction), \(run), \(run), 'success', 'success', 200, 'run', \(Self.executedAt),
                   \(Self.executedAt) + interval '7 days', now(), now(), now(), true, 1, 1
              from \(series)
            """)
        database.run("vacuum analyze")
    }

    /// Waits until `runs` has a row for each. It looks for a few of them, and counts when those are there.
    func untilAllOpen(in database: Database) -> Child {
        database.psql(
            """
            set statement_timeout = '10min';
            do $$
            begin
              while (select count(*) from generate_series(1, \(count), greatest(1, \(count) / 64)) i
                       join stored_actions.runs r on r.stored_action_id = \(Self.storedAction) and r.run_id = \(run))
                    < (select count(*) from generate_series(1, \(count), greatest(1, \(count) / 64))) loop
                perform pg_sleep(0.05);
              end loop;
              while (select count(*) from stored_actions.runs) < \(count) loop
                perform pg_sleep(0.25);
              end loop;
            end $$
            """)
    }
}
