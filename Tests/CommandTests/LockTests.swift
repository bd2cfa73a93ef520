import Foundation
import Postgres
import Testing

import Glibc

/// Several exports at once.
@Suite("Exports at the same time")
struct LockTests {
    /// Runs `body` while an export of `manifest` is under way, which is then interrupted.
    private func whileLocked(
        _ manifest: Manifest, on stage: Stage, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let held = try await stage.export(manifest) { running in
            try await wait("the first is under way") { try await stage.sandbox.stats.requests >= manifest.runs.count }
            try await body()
            running.send(SIGTERM)
        }
        #expect(held.status == 143)
    }

    @Test func `Another export of the manifest fails with 75, or is skipped with 0`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.endless(2)
            try await whileLocked(manifest, on: stage) {
                for options in [[], ["--if-locked", "fail"]] {
                    let failed = try await stage.run(
                        ["export", "--json", "--manifest", stage.folder.appending(path: "today.json").path] + options)
                    #expect(failed.status == 75)
                    #expect(try failed.object()["exit_status"] as? Int == 75)
                    #expect(failed.stderr.contains("today"))
                }
                let skipped = try await stage.export(manifest, "--if-locked", "skip")
                #expect(skipped.status == 0)
                #expect(try skipped.finished.object()["exit_status"] as? Int == 0)
                #expect(try skipped.finished.object()["manifests"] as? [String] == ["today"])
                // The name counts, not the file, and one shared name of several is enough.
                let other = try stage.write(Manifest.of(3, from: 70, name: "other").json, to: "other.json")
                let both = try await stage.run(
                    "export", "--json", "--manifest", other, "--manifest",
                    stage.folder.appending(path: "today.json").path)
                #expect(both.status == 75)
                #expect(try await stage.database.count("exports") == 1)
            }
        }
    }

    private static let hangs: [(what: String, sql: String)] = [
        ("past its own time limit", "update exports set time_limit_at = now() - interval '1 minute'"),
        ("half an hour without progress", "update exports set progress_at = now() - interval '31 minutes'"),
    ]

    @Test(arguments: hangs.indices)
    func `One that hangs is not skipped but told with its host, its process and its start`(_ index: Int) async throws {
        let (what, sql) = Self.hangs[index]
        try await Stage.with { stage in
            let manifest = Manifest.endless(2)
            let held = try await stage.export(manifest, "--time-limit", "1h") { running in
                try await wait("the first is under way") { try await stage.sandbox.stats.requests >= 2 }
                running.send(SIGSTOP)
                #expect(try await stage.export(manifest, "--if-locked", "skip").status == 0)
                try await stage.database.execute(sql)
                let skipped = try await stage.export(manifest, "--if-locked", "skip")
                #expect(skipped.status == 75, "\(what): \(skipped.finished.stderr)")
                let start = try #require(
                    try await stage.database.value(
                        "select to_char(started_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from exports"))
                for part in ["hangs", ProcessInfo.processInfo.hostName, "process \(running.pid)", start] {
                    #expect(skipped.finished.stderr.contains(part), "\(what): \(skipped.finished.stderr)")
                }
                running.send(SIGCONT)
                running.send(SIGTERM)
            }
            #expect(held.status == 143)
        }
    }

    @Test func `One that waits for another says so once, and once when it goes on`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.endless(2)
            let held = try await stage.export(manifest) { running in
                try await wait("the first is under way") { try await stage.sandbox.stats.requests >= 2 }
                let path = stage.folder.appending(path: "today.json").path
                // It tries ten times a second for two seconds, and then says that it waits.
                let tries = Proxy.Trigger(
                    steps: [{ $0.contains("pg_try_advisory_lock(") }], occurrence: 23, moment: .answered, harm: .drip(0)
                )
                let waiting = try await stage.withProxies(database: [tries]) { proxies in
                    try await stage.run(
                        "export", "--manifest", path, "--if-locked", "wait", "--max-wait", "0", "--time-limit", "1h",
                        changes: proxies.changes
                    ) { second in
                        try await wait("the second waits") { proxies.fired == 1 }
                        running.send(SIGTERM)
                        try await wait("the first has ended") { running.hasEnded }
                        try await wait("the second has begun") { try await stage.database.count("exports") == 2 }
                        second.send(SIGTERM)
                    }
                }
                #expect(waiting.status == 143, "\(waiting.stderr)")
                let lines = waiting.stderr.split(separator: "\n")
                #expect(
                    lines.count { $0.contains("waiting: another export of") && $0.contains("process \(running.pid)") }
                        == 1)
                #expect(lines.count { $0.contains("has ended: going on") } == 1, "\(waiting.stderr)")
            }
            #expect(held.status == 143)
        }
    }

    @Test func `An export whose rows another one's refetch replaces meanwhile ends well`() async throws {
        try await Stage.with { stage in
            let shared = Manifest.of(40, .success, 3, name: "shared", executed: .daysAgo(3))
            let slow = Manifest.Run(.slow, 400, number: 900, executed: .daysAgo(1))
            let first = try await stage.export(Manifest(name: "first", runs: shared.runs + [slow])) { _ in
                try await wait("all but the last are stored") { try await stage.database.storedSuccesses == 40 }
                let second = try await stage.export(shared, "--refetch")
                #expect(second.status == 0, "\(second.finished.stderr)")
                #expect(try second.summary.results == 80)
            }
            #expect(first.status == 0, "\(first.finished.stderr)")
            #expect(try first.summary.met == ["success": 41])
            #expect(
                try await stage.database.count(
                    "runs r where result_count <> (select count(*) from results x where x.run_id = r.run_id)") == 0)
        }
    }
}
