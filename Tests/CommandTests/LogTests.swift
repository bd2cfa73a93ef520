import Foundation
import Postgres
import Testing

import Glibc

/// What an operator greps for: one line when a trouble begins, one when it ends, however many requests meet it.
@Suite("The log of an export")
struct LogTests {
    private func expect(
        _ export: Export, _ lines: [String], status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let stderr = export.finished.stderr
        #expect(export.status == status, "\(stderr)", sourceLocation: sourceLocation)
        for line in lines {
            let count = stderr.split(separator: "\n").count { $0.contains(line) }
            #expect(count == 1, "\(line): \(stderr)", sourceLocation: sourceLocation)
        }
    }

    @Test func `A connection to the database that is lost, and back`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            let export = try await stage.withProxies(database: [.held(at: .copy, then: .cut)]) { proxies in
                try await stage.export(.of(5, .success, 3), changes: proxies.changes)
            }
            expect(export, ["the connection to the database is lost", "connected to the database again"])
        }
    }

    @Test func `A lock in the database that somebody else holds, and lets go of`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.run("migrate").status == 0)
            let lock = try await TableLock(on: "results", of: stage)
            let export = try await stage.export(.of(5, .success, 3)) { _ in
                // It looks after five seconds, and again after ten.
                try await wait("the export waits for long") {
                    try await stage.database.holds(
                        """
                        exists (select from pg_catalog.pg_stat_activity a
                                 where a.datname = pg_catalog.current_database() and a.wait_event_type = 'Lock'
                                   and a.query_start < pg_catalog.clock_timestamp() - interval '9 s')
                        """)
                }
                await lock.release()
            }
            expect(
                export,
                [
                    "waiting for a lock in the database that server process \(lock.pid)",
                    "the lock in the database is free again",
                ])
        }
    }

    @Test func `An API that cannot be reached, and is reached again`() async throws {
        try await Stage.with("--latency", "50") { stage in
            let export = try await stage.withProxies { proxies in
                try await stage.export(.of(200, .success, 1), "--concurrency", "2", changes: proxies.changes) { _ in
                    try await wait("some answers") { try await stage.sandbox.stats.requests > 10 }
                    proxies.api.refuseConnections()
                    proxies.api.cutConnections()
                    let before = try await stage.database.count("runs where outcome = 'success'")
                    // What was in flight fails, and then no connection is to be had, for a second at least.
                    try await wait("it has stopped") {
                        try await stage.database.holds(
                            "(select progress_at < pg_catalog.clock_timestamp() - interval '1 s' from exports)")
                    }
                    #expect(try await stage.database.count("runs where outcome = 'success'") < before + 30)
                    try proxies.api.acceptConnections()
                }
            }
            expect(export, ["the API cannot be reached", "the API is reached again"])
        }
    }

    @Test func `A circuit that opens, and closes`() async throws {
        try await Stage.with("--latency", "250") { stage in
            let export = try await stage.export(.of(600, .success, 1)) { running in
                try await wait("some answers") { try await stage.sandbox.stats.requests > 40 }
                try await stage.sandbox.change(#"{"down": true}"#)
                let before = try await stage.sandbox.stats.requests
                try await wait("probes", during: running) {
                    try await stage.sandbox.stats.requests >= before + 20 + 2
                }
                try await stage.sandbox.change(#"{"down": false}"#)
            }
            expect(export, ["circuit opened: the API fails", "circuit closed: the API works again"])
        }
    }

    @Test func `Requests for pages that are refused with 429, and no longer`() async throws {
        try await Stage.with("--run-limit", "0") { stage in
            let chain = Chain(number: 1, course: .postTooMany, times: 2)
            let export = try await stage.export(.following([chain]))
            expect(
                export,
                [
                    "the API answered 429: requests for pages wait until",
                    "the API no longer answers 429: requests for pages",
                ])
        }
    }

    @Test func `A rate window that is spent, until when, and that is open again`() async throws {
        try await Stage.with("--limit", "20", "--window", "4") { stage in
            let export = try await stage.export(.of(30), "--budget-share", "1")
            expect(
                export,
                ["the rate window is spent: reads wait until 20", "\(Program.Finished.windowReopened): reads waited"])
        }
    }

    @Test func `Nothing of it is said of an export to which nothing happens`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(.of(300, .success, 2))
            #expect(export.status == 0)
            // What it reads, and what it found.
            #expect(export.finished.stderr.split(separator: "\n").count { !$0.contains("migration") } == 2)
        }
    }
}
