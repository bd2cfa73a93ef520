import Foundation
import Postgres
import Testing

import Glibc

/// Runs of several accounts in one database.
@Suite("Accounts")
struct AccountTests {
    private static let one = "ac000001-0000-4000-8000-000000000001"
    private static let two = "ac000001-0000-4000-8000-000000000002"

    /// Runs of a stored action.
    private static func manifest(
        _ count: Int, _ scenario: Scenario = .success, of action: String, from start: UInt64 = 0
    )
        -> Manifest
    {
        var manifest = Manifest.of(count, scenario, 1, from: start)
        for index in manifest.runs.indices { manifest.runs[index].action = action }
        return manifest
    }

    private struct Settled: Decodable {
        let account: String?
        let exitStatus: Int32
        let reason: String?
        let onlyNotFound: Bool
    }

    // MARK: Whose runs these are

    @Test func `A manifest that names a stored action of another account is 65, unless it is adopted`() async throws {
        try await Stage.with { stage in
            #expect(try await stage.export(Self.manifest(2, of: Self.one), "--account", "a").status == 0)
            let before = try await stage.database.everything()
            let requests = try await stage.sandbox.stats.requests
            for options in [[], ["--account", "b"]] {
                let path = try stage.write(Self.manifest(3, of: Self.one).json, to: "today.json")
                let refused = try await stage.run(["export", "--json", "--manifest", path] + options)
                #expect(refused.status == 65, "\(refused.stdout)")
                let object = try refused.object()
                let problems = object["problems"] as? [[String: Any]] ?? []
                #expect(problems.map { $0["place"] as? String } == ["stored_actions.\(Self.one)"])
                #expect((problems.first?["message"] as? String)?.contains("\"a\"") == true)
            }
            #expect(try await stage.database.everything() == before)
            #expect(try await stage.sandbox.stats.requests == requests)

            let adopted = try await stage.export(Self.manifest(3, of: Self.one), "--account", "b", "--adopt")
            #expect(adopted.status == 0, "\(adopted.finished.stderr)")
            #expect(try adopted.summary.alreadySettled == 2)
            #expect(try await stage.database.rows("select account from actions") == ["b"])
            #expect(try await stage.export(Self.manifest(2, of: Self.one), "--account", "a").status == 65)
        }
    }

    @Test func `The unfinished of an account are asked for by its exports alone, wherever the name comes from`()
        async throws
    {
        try await Stage.with { stage in
            try await stage.sandbox.change(#"{"down": true}"#)
            #expect(try await stage.export(Self.manifest(4, of: Self.one), "--account", "a").status == 75)
            #expect(try await stage.export(Self.manifest(3, of: Self.two, from: 50)).status == 75)
            try await stage.sandbox.change(#"{"down": false}"#)
            let before = try await stage.sandbox.requestsByRun
            let rest = try await stage.run(["export", "--unfinished", "--json"], changes: ["ZAPIER_ACCOUNT": "a"])
            #expect(rest.status == 0, "\(rest.stderr)")
            #expect(try rest.decoded(Summary.self).met == ["success": 4])
            #expect(try rest.decoded(Summary.self).unfinishedElsewhere == 0)
            #expect(try rest.decoded(Settled.self).account == "a")
            let asked = try await stage.sandbox.requestsByRun
            for run in Self.manifest(3, of: Self.two, from: 50).runs { #expect(asked[run.id] == before[run.id]) }
            #expect(
                try await stage.database.rows("select outcome, count(*) from runs group by 1 order by 1")
                    == ["failed|3", "success|4"])
            #expect(
                try await stage.database.rows("select account from exports order by export_id") == [
                    "a", "default", "a",
                ])
        }
    }

    @Test func `status, prune and resolve keep to the account`() async throws {
        try await Stage.with { stage in
            #expect(
                try await stage.export(Self.manifest(2, .pending, of: Self.one), "--account", "a", "--max-wait", "0")
                    .status == 75)
            #expect(try await stage.export(Self.manifest(3, of: Self.two, from: 50)).status == 0)

            let status = try await stage.run("status", "--account", "a")
            #expect(status.stdout.contains("2 runs") && status.stdout.contains("--unfinished --account a"))
            let own = try await stage.run("status", "--json").object()
            #expect(own["account"] as? String == "default")
            #expect((own["exports"] as? [[String: Any]])?.count == 1)
            #expect((own["left"] as? [String: Any])?["runs"] as? Int == 0)
            #expect(try await stage.run("status", "--export", "1").status == 64)

            try await stage.database.execute(
                "update stored_actions.runs set fetched_at = fetched_at - interval '100 days'")
            let none: PruneTests.Told = try await stage.run("prune", "--older-than", "90d", "--account", "a", "--json")
                .decoded()
            #expect(none.runs == 0)
            #expect(
                try await stage.run("prune", "--older-than", "90d", "--stored-action", Self.one, "--dry-run").status
                    == 64)
            let all: PruneTests.Told = try await stage.run("prune", "--older-than", "90d", "--json").decoded()
            #expect(all.runs == 3)
            #expect(try await stage.run("resolve", "--chain", Self.one, "--not-sent", "--account", "a").status == 64)
        }
    }

    @Test func `Manifests of one name do not lock each other out across accounts`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.endless(2)
            let first = try await stage.export(manifest, "--account", "a") { running in
                try await wait("the first is under way") { try await stage.sandbox.stats.requests >= 3 }
                let other = try stage.write(Self.manifest(2, of: Self.two, from: 50).json, to: "other.json")
                let finished = try await stage.run("export", "--json", "--manifest", other)
                #expect(finished.status == 0, "\(finished.stderr)")
                #expect(try finished.decoded(Summary.self).manifests == ["today"])
                #expect(
                    try await stage.database.rows("select outcome from exports order by export_id")
                        == ["running", "complete"])
                let same = try await stage.run("export", "--json", "--manifest", other, "--account", "a")
                #expect(same.status == 75)
                running.send(SIGTERM)
            }
            #expect(first.status == 143)
        }
    }

    @Test(
        arguments: [
            (["--account", ""], [:], 64), (["--account", "a\nb"], [:], 64), ([], ["ZAPIER_ACCOUNT": "a\u{1}b"], 78),
            ([], ["ZAPIER_ACCOUNT": "a\tb"], 78), (["--unfinished", "--adopt"], [:], 64),
        ] as [([String], [String: String], Int32)])
    func `What cannot name an account ends with 64 or 78 before anything is done`(
        _ options: [String], _ changes: [String: String], status: Int32
    ) async throws {
        try await Stage.with { stage in
            let path = try stage.write(Manifest.of(1).json, to: "today.json")
            let work = options.contains("--unfinished") ? [] : ["--manifest", path]
            let finished = try await stage.run(
                ["export", "--json"] + work + options, changes: changes.mapValues { $0 })
            #expect(finished.status == status, "\(finished.stderr)")
            #expect(try finished.object()["exit_status"] as? Int == Int(status))
            #expect(try await stage.sandbox.stats.requests == 0)
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
        }
    }

    // MARK: A token of another account

    @Test(arguments: [
        (#"{"lose_everything": true}"#, 5), (#"{"lose_everything": true}"#, 60), (#"{"forbid_everything": true}"#, 5),
    ])
    func `A token that does not see what the account has had results of ends with 77, and nothing is recorded`(
        _ trouble: String, runs: Int
    ) async throws {
        try await Stage.with { stage in
            #expect(try await stage.export(Manifest.of(3, .success, 1)).status == 0)
            try await stage.sandbox.change(trouble)
            let before = try await stage.sandbox.stats.requests
            // Of every age: what is past its time would be settled for good.
            let next = Manifest(
                name: "next",
                runs: Manifest.of(runs, from: 50).runs
                    + [
                        Manifest.Run(.success, 1, number: 1000, executed: .daysAgo(8)),
                        Manifest.Run(.success, 1, number: 1001, executed: .daysAgo(1)),
                    ])
            let refused = try await stage.export(next)
            #expect(refused.status == 77, "\(refused.finished.stderr)")
            let summary = try refused.summary
            #expect(summary.met == ["queued": runs + 2])
            let reason = try refused.finished.decoded(Settled.self).reason
            #expect(reason?.contains(Self.one) == true && reason?.contains("\"default\"") == true)
            // The look-up is one of the requests.
            #expect(try await summary.requests.total == stage.sandbox.stats.requests - before)
            #expect(try await stage.sandbox.lookups(of: Self.one) == 1)
            #expect(
                try await stage.database.rows(
                    "select outcome, attempts, checked_at is null from runs where outcome <> 'success' group by 1, 2, 3"
                )
                    == ["queued|0|true"])
            #expect(try await stage.database.count("api_errors") == 0)
            #expect(try await stage.database.count("export_items where export_id = 2") == 0)

            let unfinished = try await stage.run("export", "--unfinished", "--json")
            #expect(unfinished.status == 77)
            #expect(try await stage.database.count("runs where outcome <> 'success' and outcome <> 'queued'") == 0)

            try await stage.sandbox.change(#"{"lose_everything": false, "forbid_everything": false}"#)
            let again = try await stage.export(next)
            #expect(again.status == 0, "\(again.finished.stderr)")
            #expect(try again.summary.met == ["success": runs + 2])
        }
    }

    @Test(arguments: [
        Chain(number: 1, course: .postUnavailable),
        Chain(number: 1, action: Chain.Action.failingLookup.id(1, parameter: 99)),
    ])
    func `Nor does it end a chain of pages whose root is stored`(_ chain: Chain) async throws {
        try await Stage.with { stage in
            let manifest = Manifest.following([chain])
            let first = try await stage.export(manifest)
            #expect(first.status == 75, "\(first.finished.stderr)")
            let open = "page_chains where end_reason is null"
            #expect(try await stage.database.count(open) == 1)
            try await stage.sandbox.change(#"{"lose_everything": true}"#)
            let refused = try await stage.export(manifest)
            #expect(refused.status == 77, "\(refused.finished.stderr)")
            #expect(try await stage.database.count(open) == 1)
            #expect(try await stage.database.count("page_intents where run_id is null") == 0)
        }
    }

    @Test func `One look-up lets the 404s and 403s of an export count, within the rate window`() async throws {
        try await Stage.with("--limit", "8", "--window", "3") { stage in
            #expect(try await stage.export(Manifest.of(2, .success, 1)).status == 0)
            let before = try await stage.sandbox.stats.requests
            let next = Manifest(
                name: "next",
                runs: Manifest.of(6, .missing, from: 50).runs + Manifest.of(3, .forbidden, from: 70).runs
                    + Manifest.of(4, .success, 1, from: 90).runs)
            let export = try await stage.export(next, "--budget-share", "1")
            #expect(export.status == 3, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["expired": 6, "forbidden": 3, "success": 4])
            #expect(try export.summary.rateLimited == 0)
            #expect(try await stage.sandbox.stats.requests - before == 14)
            #expect(try export.summary.requests.total == 14)
            #expect(try await stage.sandbox.lookups(of: Self.one) == 1)
            #expect(
                try await stage.database.rows("select action_type from actions") == ["read"])
        }
    }

    @Test func `Without results of the account nothing is looked up`() async throws {
        try await Stage.with { stage in
            let known = try await stage.export(Manifest.of(2, .success, 1), "--account", "a")
            let others = try await stage.export(
                Self.manifest(5, .missing, of: Self.two, from: 50), "--account", "b")
            #expect(known.status == 0 && others.status == 0)
            #expect(try await stage.sandbox.kinds.lookups == 0)
            #expect(try await stage.database.count("expired_runs") == 5)
        }
    }

    @Test func `A look-up that fails permanently leaves the runs as they are`() async throws {
        try await Stage.with { stage in
            let failing = "ac000500-0000-4000-8000-000000000001"
            #expect(try await stage.export(Self.manifest(2, of: failing)).status == 0)
            let next =
                Self.manifest(3, .missing, of: failing, from: 50).runs + Self.manifest(2, of: failing, from: 90).runs
            let export = try await stage.export(Manifest(name: "next", runs: next), "--max-wait", "1s")
            #expect(export.status == 75, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["queued": 3, "success": 2])
            #expect(export.finished.stderr.contains("these runs are unchanged"))
        }
    }

    // MARK: All of them 404

    private static let credentials: [(what: String, changes: @Sendable (Stage) throws -> [String: String?])] = [
        ("a token", { _ in [:] }),
        (
            "client credentials",
            { stage in
                [
                    "ZAPIER_ACCESS_TOKEN": nil, "ZAPIER_CLIENT_ID": "sandbox-client",
                    "ZAPIER_CLIENT_SECRET": "sandbox-secret", "ZAPIER_TOKEN_URL": stage.sandbox.url + "/oauth/token/",
                ]
            }
        ),
        (
            "a refresh token",
            { stage in
                let path = try stage.write("sandbox-refresh-0\n", to: "refresh")
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
                return [
                    "ZAPIER_ACCESS_TOKEN": nil, "ZAPIER_CLIENT_ID": "sandbox-client",
                    "ZAPIER_CLIENT_SECRET": "sandbox-secret", "ZAPIER_TOKEN_URL": stage.sandbox.url + "/oauth/token/",
                    "ZAPIER_REFRESH_TOKEN_FILE": path,
                ]
            }
        ),
    ]

    @Test(arguments: credentials.indices)
    func `When all of 20 young runs or more are 404, the summary asks about the account, and the status is 3`(
        _ index: Int
    ) async throws {
        let (what, credentials) = Self.credentials[index]
        try await Stage.with("--lose-everything") { stage in
            let changes = try credentials(stage)
            let past = Manifest.of(3, .missing, from: 500, executed: .daysAgo(9)).runs
            for (runs, options, status) in [
                (20, [], 3), (19, [], 0), (25, ["--fail-on", "none"], 0), (25, ["--fail-on", "rejected"], 3),
            ] as [(Int, [String], Int32)] {
                let manifest = Manifest(name: "m\(runs)", runs: Manifest.of(runs).runs + past)
                let path = try stage.write(manifest.json, to: "\(manifest.name).json")
                let text = try await stage.run(["export", "--manifest", path] + options, changes: changes)
                #expect(text.status == status, "\(what), \(runs) \(options): \(text.stderr)")
                #expect(text.stdout.contains("404: are this API address and this token those of the account"))
                let json = try await stage.run(["export", "--json", "--manifest", path] + options, changes: changes)
                #expect(json.status == status)
                #expect(try json.decoded(Settled.self).onlyNotFound)
            }
        }
    }

    @Test func `Runs past their time may all be 404, and one that is there speaks for all`() async throws {
        try await Stage.with { stage in
            let past = try await stage.export(Manifest.of(30, .missing, executed: .daysAgo(9)))
            #expect(past.status == 0)
            #expect(try !past.finished.decoded(Settled.self).onlyNotFound)
            let one = Manifest.of(30, .missing, from: 100).runs + [Manifest.Run(.pending, number: 200)]
            let export = try await stage.export(
                Manifest(name: "one", runs: one), "--max-wait", "0", "--allow", "pending")
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try !export.finished.decoded(Settled.self).onlyNotFound)
        }
    }
}
