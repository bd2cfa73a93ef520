import Foundation
import Postgres
import Testing

import Glibc

/// SIGHUP, SIGINT and SIGTERM end an export in good order.
@Suite("Signals")
struct SignalTests {
    @Test(arguments: [SIGHUP, SIGINT, SIGTERM])
    func
        `A signal ends the export with 128 plus its number; what was fetched is stored, and the same command continues`(
            _ signal: Int32
        ) async throws
    {
        try await Stage.with("--latency", "150") { stage in
            let manifest = Manifest.of(80)
            let interrupted = try await stage.export(manifest, "--concurrency", "4") { running in
                try await wait("some answers") { try await stage.sandbox.stats.requests > 12 }
                running.send(signal)
            }
            #expect(interrupted.status == 128 + signal)
            let summary = try interrupted.summary
            #expect(summary.exitStatus == 128 + signal)
            #expect(summary.outcome == "interrupted")
            let stored = summary.outcomes["success", default: 0]
            #expect(stored > 0 && stored < 80)
            #expect(summary.met == ["success": stored, "queued": 80 - stored])
            // Every answer that came is stored.
            #expect(try await stage.sandbox.finals.count == stored)
            #expect(try await stage.database.count("runs where outcome = 'success'") == stored)
            #expect(
                try await stage.database.rows("select outcome, exit_status, finished_at is not null from exports")
                    == ["interrupted|\(128 + signal)|true"])
            try await stage.sandbox.change(#"{"latency": 0}"#)
            let rest = try await stage.export(manifest)
            #expect(rest.status == 0)
            #expect(try rest.summary.requests.total == 80 - stored)
        }
    }

    @Test func `An interrupted export does not wait for answers that do not come`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.endless(10)) { running in
                try await wait("requests in flight") { try await stage.sandbox.stats.requests == 11 }
                running.send(SIGTERM)
            }
            #expect(export.status == 143)
            #expect(try export.summary.met == ["success": 1, "queued": 10])
            // They left, and nobody answered.
            #expect(try export.summary.requests.byStatus == ["200": 1, "none": 10])
        }
    }

    @Test func `A second signal ends the export at once, and its summary counts what was stored`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(200, .success, 3)
            // The token is refused in the middle. While another is on its way, one signal does not end the process.
            let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            let refused = Proxy.Trigger.held(at: .read, occurrence: 100, then: .answer(refusal))
            try await stage.withProxies(api: [refused, .held(at: .token, occurrence: 2)]) { proxies in
                let api = "http://127.0.0.1:\(proxies.api.port)"
                let changes: [String: String?] = [
                    "ZAPIER_API_URL": api, "ZAPIER_ACCESS_TOKEN": nil, "ZAPIER_CLIENT_ID": "sandbox-client",
                    "ZAPIER_CLIENT_SECRET": "sandbox-secret", "ZAPIER_TOKEN_URL": api + "/oauth/token/",
                    "ZAPIER_REFRESH_TOKEN_FILE": try stage.write("sandbox-refresh-0\n", to: "refresh"),
                ]
                let export = try await stage.export(manifest, changes: changes) { running in
                    try await wait("another token is asked for", during: running) { proxies.fired == 2 }
                    running.send(SIGTERM)
                    try await wait("all else has ended", during: running) {
                        try await stage.database.count("exports where outcome = 'interrupted'") == 1
                    }
                    try await running.end(by: SIGINT)
                }
                #expect(export.status == 130, "\(export.finished.stderr)")
                let summary = try export.summary
                #expect(summary.exitStatus == 130)
                #expect(summary.outcome == "interrupted")
                let stored = try await stage.database.count("results")
                #expect(stored > 0 && summary.results == stored)
            }
            try await stage.waitForSessionsToEnd()
            #expect(try await stage.export(manifest).status == 0)
            #expect(try await stage.database.count("results") == 400)
        }
    }

    @Test func `The two signals that GNU timeout sends for one are one: the export ends in good order`() async throws {
        try await Stage.with("--latency", "150") { stage in
            let path = try stage.write(Manifest.of(80).json, to: "today.json")
            let ended = try await Program(path: "/usr/bin/timeout").run(
                ["1h", stage.tool.path, "export", "--manifest", path, "--json", "--concurrency", "4"],
                environment: stage.environment, workingFolder: stage.folder
            ) { timeout in
                try await wait("some answers") { try await stage.sandbox.stats.requests > 12 }
                timeout.send(SIGTERM)
            }
            let summary: Summary = try ended.decoded()
            #expect(ended.status == 143)
            #expect(summary.outcome == "interrupted")
            #expect(try await stage.sandbox.finals.count == summary.outcomes["success"])
            #expect(
                try await stage.database.rows("select outcome, exit_status, finished_at is not null from exports")
                    == ["interrupted|143|true"])
        }
    }

    @Test func `A signal while another export's lock is waited for ends the wait`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.endless(2)
            let path = try stage.write(manifest.json, to: "today.json")
            let first = try await stage.export(manifest) { running in
                try await wait("the first is under way") { try await stage.sandbox.stats.requests == 3 }
                let second = try await stage.run(
                    "export", "--manifest", path, "--json", "--if-locked", "wait"
                ) { waiting in
                    // This test's own connection, the first export's, and now and then the one that waits.
                    try await wait("the second at the lock") {
                        try await stage.database.count("pg_stat_activity where datname = current_database()") > 2
                    }
                    waiting.send(SIGTERM)
                }
                #expect(second.status == 143, "\(second.stderr)")
                #expect(try second.object()["exit_status"] as? Int == 143)
                running.send(SIGTERM)
            }
            #expect(first.status == 143)
        }
    }

    @Test func `A signal before the manifest is read leaves a JSON object, too`() async throws {
        try await Stage.with { stage in
            let script = """
                mkfifo in err
                exec 3<>in 4<>err
                "$0" export --manifest - --json <in 2>err >out &
                head -n 1 <err >first
                kill -TERM $!
                wait $!
                """
            let shell = try await Program(path: "/bin/sh").run(
                ["-c", script, stage.tool.path], environment: stage.environment, workingFolder: stage.folder)
            #expect(shell.status == 143)
            let out = try Data(contentsOf: stage.folder.appending(path: "out"))
            let object = try? JSONSerialization.jsonObject(with: out) as? [String: Any]
            #expect(object?["exit_status"] as? Int == 143, "\(String(decoding: out, as: UTF8.self))")
        }
    }

    @Test func `A stderr that takes nothing any more does not keep a signal from ending the process`() async throws {
        try await Stage.with { stage in
            try stage.write(Manifest.of(3).json, to: "today.json")
            let script = """
                mkfifo err
                exec 4<>err
                head -c 65536 /dev/zero >&4
                "$0" export --manifest today.json --json 2>err >out &
                # SIGTERM is bit 14 of the signals that are caught or ignored.
                until grep -E '^Sig(Cgt|Ign):.*[4-7c-f]...$' /proc/$!/status >/dev/null; do sleep 0.05; done
                kill -TERM $!
                wait $!
                """
            let shell = try await Program(path: "/bin/sh").run(
                ["-c", script, stage.tool.path], environment: stage.environment, workingFolder: stage.folder)
            #expect(shell.status == 143, "\(shell.stderr)")
        }
    }
}
