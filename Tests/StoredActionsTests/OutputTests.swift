import ExportCore
import Exporter
import Foundation
import Testing

@testable import stored_actions

@Suite("Words for people")
struct OutputTests {
    @Test(
        "A command can be pasted into a shell",
        arguments: [
            ("plain-1.json", "plain-1.json"), ("", "''"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#),
            ("$HOME", "'$HOME'"),
            ("héllo", "'héllo'"),
        ])
    func quoting(argument: String, quoted: String) {
        #expect(shellQuoted(argument) == quoted)
    }

    @Test(
        "Lengths of time",
        arguments: [
            (0, "0 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (3600, "1 h"), (7500, "2 h 5 min"),
            (90_000, "1 d 1 h"), (-5, "0 s"),
        ])
    func spokenDurations(seconds: Int, text: String) {
        #expect(spoken(.seconds(seconds)) == text)
    }

    @Test(
        "Numbers have commas between thousands",
        arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")])
    func numbers(number: Int, text: String) {
        #expect(grouped(number) == text)
    }

    @Test("Columns are as wide as they need to be, numbers stand to the right")
    func columns() {
        #expect(
            aligned([["success", "1,000", ""], ["error", "7", "see errors"]], indent: "  ")
                == "  success  1,000\n  error        7  see errors")
    }

    @Test("The live line tells done of total, rate, budget, reset and time left")
    func progressLine() {
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        var progress = ExportProgress()
        #expect(ProgressLine(progress, at: now).text == "preparing the export …")
        progress.startedAt = now - 10
        progress.items = 1200
        progress.alreadySettled = 100
        progress.done = 300
        progress.budgetLimit = 60
        progress.budgetRemaining = 12
        progress.budgetResetsAt = now + 2.2
        progress.rateLimited = 1
        progress.pages = 70
        #expect(
            ProgressLine(progress, at: now).text
                == "300 of 1,200 runs (25 %) · 70 further pages · 20.0 a second · budget 12 of 60, resets in 3 s · 1 × 429 · 45 s left"
        )
    }

    @Test("The summary counts every outcome that there is, and names the command that continues")
    func summary() throws {
        var summary = Summary(manifests: ["today"], end: .ended(.finished, .incomplete(.init())))
        summary.exportID = 12
        summary.runs.items = 1302
        summary.runs.outcomes[.success] = 1300
        summary.runs.outcomes[.pending] = 2
        summary.runs.alreadySettled = 10
        summary.stored.results = 5000
        summary.requests.total = 1292
        summary.requests.byStatus = [200: 1290, nil: 2]
        summary.duration = 12.34
        summary.elsewhere.runs = 1
        let export = try #require(try Export.parse(["--manifest", "my jobs/today.json"]) as Export?)
        let command = ContinuingCommand(export: export, arguments: ["export", "--manifest", "my jobs/today.json"])
        #expect(
            SummaryText(summary: summary, command: command).text == """
                export 12 of today: incomplete (exit status 75)

                  success  1,300
                  pending      2  not finished
                  runs     1,302  10 of them settled before

                  stored    5,000 results, 0 partner errors
                  requests  1,292 (1,290 × 200, 2 × no answer)
                  time      12.3 s, 0.0 s of it waiting for the rate window

                The same command continues:
                  stored-actions export --manifest 'my jobs/today.json'
                Of earlier manifests 1 run is unsettled. To fetch them:
                  stored-actions export --unfinished
                """)
    }

    @Test("Suggested commands name the account that was named")
    func account() throws {
        var summary = Summary(manifests: ["today"], end: .ended(.finished, .incomplete(.init())))
        summary.account = "Kunde 7"
        summary.elsewhere.runs = 1
        let arguments = ["--manifest", "today.json", "--account", "Kunde 7"]
        let export = try #require(try Export.parse(arguments) as Export?)
        let command = ContinuingCommand(export: export, arguments: ["export"] + arguments)
        #expect(command.database == " --account 'Kunde 7'")
        let text = SummaryText(summary: summary, command: command).text
        #expect(text.hasPrefix("export of today of account Kunde 7: incomplete"))
        #expect(text.contains("stored-actions export --unfinished --account 'Kunde 7'"))
    }

    @Test(
        "Values that no option takes are refused",
        arguments: [
            ["--concurrency", "0"], ["--concurrency", "1001"], ["--concurrency", "x"], ["--budget-share", "0"],
            ["--budget-share", "1.1"], ["--budget-share", "nan"], ["--max-wait", "5"], ["--time-limit", "0"],
            ["--fail-on", "foo"], ["--allow", "failed"], ["--allow", "truncated"], ["--allow", "rejects"],
            ["--if-locked", "maybe"],
            ["--log-level", "loud"], ["--log-format", "xml"], ["--name", "n"], ["--unfinished"],
        ])
    func refused(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try Export.parse(["--manifest", "m.json"] + arguments) }
        #expect(error.map { Export.message(for: $0).contains(arguments[0]) } == true)
    }
}
