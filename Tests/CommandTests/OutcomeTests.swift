import Foundation
import Postgres
import Testing

/// What becomes of each answer of the API: the contract's table of outcomes, and the rows that stand for it.
@Suite("Outcomes")
struct OutcomeTests {
    private struct Case {
        let scenario: Scenario
        var parameter = 0
        var daysAgo: Double?
        let outcome: String
        /// HTTP status of the answer that led to it; nil where there was none, or where it is not told.
        var http: Int?
    }

    private static let cases: [Case] = [
        Case(scenario: .success, outcome: "success", http: 200),
        Case(scenario: .successEmpty, outcome: "success", http: 200),
        Case(scenario: .successFlat, outcome: "success", http: 200),
        Case(scenario: .successEnveloped, outcome: "success", http: 200),
        Case(scenario: .successWithoutStatus, outcome: "success", http: 200),
        Case(scenario: .successErrorsOnly, outcome: "success", http: 200),
        Case(scenario: .successWithID, outcome: "success", http: 200),
        Case(scenario: .successWithoutID, outcome: "success", http: 200),
        Case(scenario: .large, parameter: 300, outcome: "success", http: 200),
        Case(scenario: .resultsNull, outcome: "success", http: 200),
        Case(scenario: .resultsMixed, outcome: "success", http: 200),
        Case(scenario: .deep, parameter: 5, outcome: "success", http: 200),
        Case(scenario: .gzip, outcome: "success", http: 200),
        Case(scenario: .slow, parameter: 20, outcome: "success", http: 200),
        Case(scenario: .stall, parameter: 20, outcome: "success", http: 200),
        Case(scenario: .drip, parameter: 1, outcome: "success", http: 200),
        Case(scenario: .bulkStrings, parameter: 3, outcome: "success", http: 200),
        Case(scenario: .error, parameter: 3, outcome: "error", http: 200),
        Case(scenario: .errorWithoutStatus, outcome: "error", http: 200),
        Case(scenario: .errorUnknownCode, outcome: "error", http: 200),
        Case(scenario: .errorThrottled, parameter: 45, outcome: "error", http: 200),
        Case(scenario: .missing, daysAgo: 8, outcome: "expired", http: 404),
        Case(scenario: .missing, outcome: "expired", http: 404),
        Case(scenario: .gone, daysAgo: 8, outcome: "expired", http: 410),
        Case(scenario: .gone, outcome: "expired", http: 410),
        Case(scenario: .missing, daysAgo: 1, outcome: "not_found", http: 404),
        Case(scenario: .gone, daysAgo: 1, outcome: "not_found", http: 410),
        Case(scenario: .forbidden, outcome: "forbidden", http: 403),
        Case(scenario: .badRequest, outcome: "rejected", http: 400),
        Case(scenario: .conflict, outcome: "rejected", http: 409),
        Case(scenario: .unprocessable, outcome: "rejected", http: 422),
        Case(scenario: .waiting, outcome: "waiting", http: 200),
        Case(scenario: .pending, outcome: "pending", http: 202),
        Case(scenario: .unknownStatus, outcome: "failed", http: 200),
        Case(scenario: .wrongID, outcome: "failed", http: 200),
        Case(scenario: .emptyBody, outcome: "failed", http: 200),
        Case(scenario: .html, outcome: "failed", http: 200),
        Case(scenario: .notJSON, outcome: "failed", http: 200),
        Case(scenario: .truncatedJSON, outcome: "failed", http: 200),
        Case(scenario: .invalidUTF8, outcome: "success", http: 200),
        Case(scenario: .redirect, outcome: "failed", http: 307),
        Case(scenario: .forbiddenHTML, outcome: "failed", http: 403),
        Case(scenario: .notFoundHTML, outcome: "failed", http: 404),
        Case(scenario: .requestTimeout, outcome: "failed", http: 408),
        Case(scenario: .tooEarly, outcome: "failed", http: 425),
        Case(scenario: .serverError, outcome: "failed", http: 500),
        Case(scenario: .badGateway, outcome: "failed", http: 502),
        Case(scenario: .unavailable, outcome: "failed", http: 503),
        Case(scenario: .gatewayTimeout, outcome: "failed", http: 504),
        Case(scenario: .cut, outcome: "failed"),
        Case(scenario: .noAnswer, outcome: "failed"),
    ]

    @Test func `Every kind of answer leads to the outcome of the contract's table`() async throws {
        let runs = Self.cases.enumerated().map { index, entry in
            Manifest.Run(
                entry.scenario, entry.parameter, number: UInt64(index), executed: entry.daysAgo.map(Date.daysAgo))
        }
        try await Stage.with { stage in
            let export = try await stage.export(Manifest(runs: runs), "--max-wait", "0")
            let summary = try export.summary
            #expect(summary.items == runs.count)
            for (run, entry) in zip(runs, Self.cases) {
                let row = try await stage.database.value(
                    "select outcome, http_status from runs where run_id = $1::uuid", [.text(run.id)])
                #expect(row == "\(entry.outcome)|\(entry.http.map(String.init) ?? "")", "\(entry.scenario)")
                let item = try await stage.database.value(
                    "select outcome, action from export_items where run_id = $1::uuid", [.text(run.id)])
                #expect(item == "\(entry.outcome)|fetched", "\(entry.scenario)")
            }
            let expected = Dictionary(grouping: Self.cases, by: \.outcome).mapValues(\.count)
            #expect(summary.met == expected)
            // What was not followed is never asked for at all.
            #expect(try await stage.sandbox.requestsByRun.keys.sorted() == runs.map(\.id).sorted())
            #expect(
                try await stage.database.count("results r join runs using (run_id) where outcome <> 'success'") == 0)
        }
    }

    @Test(arguments: [
        (Scenario.waiting, 1), (.emptyBody, 1), (.html, 1), (.notJSON, 1), (.truncatedJSON, 1), (.pending, 1),
        (.requestTimeout, 2), (.tooEarly, 1), (.tooManyRequests, 1), (.serverError, 2), (.badGateway, 1),
        (.unavailable, 1), (.gatewayTimeout, 1), (.cut, 2), (.noAnswer, 2),
    ])
    func `Trouble that passes leaves a success behind, and its attempts counted`(
        _ scenario: Scenario, troubles: Int
    ) async throws {
        try await Stage.with { stage in
            let manifest = Manifest(runs: [
                Manifest.Run(scenario, troubles, number: 5), Manifest.Run(.success, 3, number: 6),
            ])
            let export = try await stage.export(manifest, "--max-wait", "30s")
            #expect(export.status == 0, "\(export.finished.stderr)")
            let row = try await stage.database.value(
                "select outcome, attempts from runs where run_id = $1::uuid", [.text(manifest.runs[0].id)])
            #expect(row == "success|\(troubles + 1)")
            #expect(try await stage.database.count("api_errors") == 0)
        }
    }

    @Test func `Expired runs say why they count as expired`() async throws {
        try await Stage.with { stage in
            let old = Manifest.Run(.missing, number: 1, executed: .daysAgo(8))
            let undated = Manifest.Run(.missing, number: 2)
            let seen = Manifest.Run(.pending, number: 3)
            let seenWaiting = Manifest.Run(.waiting, number: 4)
            let young = Manifest.Run(.missing, number: 5, executed: .daysAgo(6.9))
            let manifest = Manifest(runs: [old, undated, seen, seenWaiting, young])
            _ = try await stage.export(manifest, "--max-wait", "0")
            try await stage.sandbox.change(#"{"lose_everything": true}"#)
            _ = try await stage.export(manifest, "--max-wait", "0")
            let evidence = try await stage.database.rows(
                """
                select run_id, evidence, executed_at is not null,
                       expires_at = coalesce(executed_at, first_seen_at) + '7 d', checked_at > first_seen_at
                  from expired_runs order by run_id
                """)
            #expect(
                evidence
                    == [
                        "\(seen.id)|seen_alive|false|true|true".lowercased(),
                        "\(seenWaiting.id)|seen_alive|false|true|true",
                        "\(old.id)|past_retention|true|true|true",
                        "\(undated.id)|age_unknown|false|true|true",
                    ].sorted())
            #expect(
                try await stage.database.value("select outcome from runs where run_id = $1::uuid", [.text(young.id)])
                    == "not_found")
        }
    }

    @Test func `When every answer is 404 the summary asks whether account and API are the right ones`() async throws {
        try await Stage.with("--lose-everything") { stage in
            let path = try stage.write(Manifest.of(5).json, to: "today.json")
            let finished = try await stage.run("export", "--manifest", path)
            #expect(finished.status == 0)
            #expect(finished.stdout.localizedCaseInsensitiveContains("account"))
            #expect(finished.stdout.contains("404"))
        }
    }
}
