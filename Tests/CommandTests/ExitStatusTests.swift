import Foundation
import Postgres
import Testing

/// The exit statuses that cron lines depend on: 0, 3, 4, 69, 75, 77 and which comes first.
@Suite("Exit statuses of an export")
struct ExitStatusTests {
    private static let findings: [(outcome: String, run: Manifest.Run)] = [
        ("success", Manifest.Run(.success, 2, number: 1)), ("error", Manifest.Run(.error, number: 2)),
        ("expired", Manifest.Run(.missing, number: 3)),
        ("not_found", Manifest.Run(.missing, number: 4, executed: .daysAgo(1))),
        ("forbidden", Manifest.Run(.forbidden, number: 5)), ("rejected", Manifest.Run(.conflict, number: 6)),
    ]

    @Test(arguments: ["success", "error", "expired", "not_found", "forbidden", "rejected"])
    func `A complete export exits 3 when --fail-on names an outcome that it met, else 0`(_ outcome: String) async throws
    {
        try await Stage.with { stage in
            let found = Self.findings.filter { $0.outcome == outcome || $0.outcome == "success" }.map(\.run)
            let manifest = Manifest(runs: found)
            let usual = try await stage.export(manifest)
            #expect(usual.status == (["not_found", "forbidden", "rejected"].contains(outcome) ? 3 : 0))
            #expect(try await stage.export(manifest, "--fail-on", outcome).status == 3)
            #expect(try await stage.export(manifest, "--fail-on", "none").status == 0)
            let others = Self.findings.map(\.outcome).filter { $0 != outcome && $0 != "success" }.joined(separator: ",")
            #expect(try await stage.export(manifest, "--fail-on", others + ",truncated").status == 0)
            #expect(try await stage.database.count("exports where outcome <> 'complete'") == 0)
        }
    }

    @Test func `An export of nothing is complete`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest(runs: []))
            let summary = try export.summary
            #expect(export.status == 0)
            #expect(summary.items == 0)
            #expect(summary.outcome == "complete")
            #expect(try await stage.sandbox.stats.requests == 0)
            #expect(try await stage.database.count("exports where outcome = 'complete' and items = 0") == 1)
        }
    }

    @Test(arguments: [(Scenario.waiting, "waiting"), (.pending, "pending"), (.unknownStatus, "failed")])
    func `An export that leaves a run waiting, pending or failed exits 75`(
        _ scenario: Scenario, outcome: String
    ) async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [Manifest.Run(scenario, number: 1), Manifest.Run(.conflict, number: 2)])
            let export = try await stage.export(manifest, "--max-wait", "0")
            #expect(export.status == 75)
            #expect(try export.summary.met == [outcome: 1, "rejected": 1])
            #expect(try export.summary.outcome == "incomplete")
            let allowed = try await stage.export(manifest, "--max-wait", "0", "--allow", "waiting,pending")
            // What is allowed leaves the export complete, with something that --fail-on names.
            #expect(allowed.status == (outcome == "failed" ? 75 : 3))
        }
    }

    @Test func `--allow pending does not allow waiting, and waiting not pending`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [Manifest.Run(.waiting, number: 1), Manifest.Run(.pending, number: 2)])
            for (allowed, status) in [("pending", Int32(75)), ("waiting", 75), ("waiting,pending", 0)] {
                let export = try await stage.export(manifest, "--max-wait", "0", "--allow", allowed)
                #expect(export.status == status, "--allow \(allowed)")
            }
        }
    }

    @Test func `A time limit ends the export in good order with 75, and the next call goes on`() async throws {
        try await Stage.with("--latency", "1000") { stage in
            let manifest = Manifest.of(40)
            #expect(try await stage.run("migrate").status == 0)
            let export = try await stage.export(manifest, "--concurrency", "2", "--time-limit", "8s")
            let summary = try export.summary
            #expect(export.status == 75)
            #expect(summary.outcome == "incomplete")
            let queued = summary.outcomes["queued", default: 0]
            #expect((1..<40).contains(queued))
            #expect(summary.outcomes["success"] == 40 - queued)
            #expect(try await stage.database.count("export_items") == 40 - queued)
            try await stage.sandbox.change(#"{"latency": 0}"#)
            let rest = try await stage.export(manifest, "--time-limit", "1h")
            #expect(rest.status == 0)
            #expect(try rest.summary.requests.total == queued)
        }
    }

    // MARK: Nobody there, and nobody but a person

    private static let silences: [(what: String, harm: Proxy.Trigger, options: [String])] = [
        ("a time limit, while it says nothing", .held(at: .read).repeated(100), ["--time-limit", "12s"]),
        ("a time limit, while it hangs up", .held(at: .read, then: .cut).repeated(100), ["--time-limit", "6s"]),
        ("every try, for it hangs up", .held(at: .read, then: .cut).repeated(100), []),
    ]

    @Test(arguments: silences.indices)
    func `A call in which the API never answered ends with 69, whatever ended it`(_ index: Int) async throws {
        let (what, harm, options) = Self.silences[index]
        try await Stage.with { stage in
            // So that the limit is not over before anything is asked, however busy the machine is.
            #expect(try await stage.run("migrate").status == 0)
            let path = try stage.write(Manifest.of(1).json, to: "today.json")
            let finished = try await stage.withProxies(api: [harm]) { proxies in
                try await stage.run(["export", "--manifest", path] + options, changes: proxies.changes)
            }
            #expect(finished.status == 69, "\(what): \(finished.stdout) \(finished.stderr)")
            #expect(finished.stdout.contains("the API cannot be reached"), "\(finished.stdout)")
            #expect(try await stage.database.rows("select outcome, exit_status from exports") == ["failed|69"])
            #expect(try await stage.export(Manifest.of(1)).status == 0)
        }
    }

    @Test func `Where nothing but a page in doubt is left it is 4, and the summary says what to do first`() async throws
    {
        try await Stage.with { stage in
            let chain = Chain(number: 1, pages: 4, course: .startedHTML, times: 1)
            let pending = Manifest.Run(.pending, number: 1)
            let both = Manifest(runs: [Manifest.Run(chain), Manifest.Run(.forbidden, number: 2), pending])
            let incomplete = try await stage.export(both, "--max-wait", "0")
            #expect(incomplete.status == 75, "\(incomplete.finished.stderr)")
            for options in [["--allow", "pending", "--max-wait", "0"], ["--allow", "pending", "--time-limit", "5s"]] {
                let path = try stage.write(both.json, to: "today.json")
                let left = try await stage.run(["export", "--manifest", path] + options)
                #expect(left.status == 4, "\(left.stderr)")
                #expect(
                    left.stdout.contains("stored-actions resolve --chain \(chain.root) --not-sent"), "\(left.stdout)")
                #expect(left.stdout.contains("changes nothing before"), "\(left.stdout)")
                #expect(left.stdout.contains("stored-actions export --manifest"), "\(left.stdout)")
            }
            #expect(
                try await stage.database.rows("select outcome, exit_status from exports order by export_id")
                    == ["incomplete|75", "incomplete|4", "incomplete|4"])
        }
    }

    // MARK: Credentials

    @Test(arguments: ["401", "403"])
    func `A token that the API refuses ends the export with 77, and marks no run`(_ status: String) async throws {
        try await Stage.with("--reject-with", status, "--latency", "20") { stage in
            let manifest = Manifest.of(50)
            let refused = try await stage.export(
                manifest, "--concurrency", "2", changes: ["ZAPIER_ACCESS_TOKEN": "a-wrong-token"])
            #expect(refused.status == 77)
            #expect(try refused.summary.met == ["queued": 50])
            #expect(try await stage.database.count("runs where outcome <> 'queued'") == 0)
            #expect(try await stage.database.rows("select outcome, exit_status from exports") == ["failed|77"])
            // It gave up with what was in flight, and did not try the token on every run.
            #expect(try await stage.sandbox.stats.requests <= 4)
            #expect(try await stage.export(manifest).status == 0)
        }
    }

    @Test func `403 for everybody over the first 20 answers is the credentials' fault`() async throws {
        try await Stage.with("--forbid-everything") { stage in
            let export = try await stage.export(Manifest.of(60), "--concurrency", "4")
            #expect(export.status == 77)
            #expect(try export.summary.outcomes["forbidden"] == 0)
            #expect(try await stage.database.count("runs where outcome = 'forbidden'") == 0)
            #expect(try await stage.sandbox.stats.requests < 30)
        }
    }

    @Test(arguments: [60, 2])
    func `Firewall pages in answer to every request end the export with 69, not 77`(_ runs: Int) async throws {
        try await Stage.with { stage in
            let export = try await stage.export(
                Manifest.of(runs, .forbiddenHTML), "--concurrency", "4")
            #expect(export.status == 69, "\(export.finished.stderr)")
            #expect(try (export.finished.object()["reason"] as? String)?.contains("proxy or firewall") == true)
            #expect(try export.summary.outcomes["forbidden"] == 0)
            #expect(try await stage.sandbox.stats.requests < 40)
        }
    }

    @Test func `25 forbidden runs among good ones are forbidden, in any order`() async throws {
        try await Stage.with { stage in
            var runs = (0..<19).map { Manifest.Run(.forbidden, number: $0, executed: .daysAgo(6)) }
            runs += (0..<5).map { Manifest.Run(.success, 1, number: 100 + $0, executed: .daysAgo(5)) }
            runs += (0..<6).map { Manifest.Run(.forbidden, number: 50 + $0, executed: .daysAgo(4)) }
            let export = try await stage.export(Manifest(runs: runs), "--concurrency", "1")
            #expect(export.status == 3)
            #expect(try export.summary.met == ["forbidden": 25, "success": 5])
            #expect(try await stage.database.count("api_errors where code = 'permission_denied'") == 25)
        }
    }

    @Test func `Fewer than 20 runs that are all forbidden are forbidden`() async throws {
        try await Stage.with { stage in
            let export = try await stage.export(Manifest.of(7, .forbidden))
            #expect(export.status == 3)
            #expect(try export.summary.met == ["forbidden": 7])
        }
    }

    @Test func `Refused credentials come before runs that are left over`() async throws {
        try await Stage.with("--latency", "50") { stage in
            let manifest = Manifest(runs: [Manifest.Run(.pending, number: 1), Manifest.Run(.conflict, number: 2)])
            #expect(try await stage.export(manifest, "--max-wait", "0").status == 75)
            let refused = try await stage.export(manifest, changes: ["ZAPIER_ACCESS_TOKEN": "a-wrong-token"])
            #expect(refused.status == 77)
            #expect(try await stage.database.rows("select outcome from runs order by 1") == ["pending", "rejected"])
        }
    }
}
