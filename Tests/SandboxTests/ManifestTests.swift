import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("Manifests of the sandbox's own runs")
struct ManifestTests {
    private let now = Date(timeIntervalSince1970: 1_795_167_000)

    private func plan(
        _ runs: Int, pages: Int = 0, _ pagesMix: PagesMix = .ordinary, seed: UInt64 = 1, dated: Bool = false
    ) -> ManifestPlan {
        ManifestPlan(
            mix: .all, runs: runs, pages: pages, pagesMix: pagesMix, storedActions: 5, seed: seed,
            now: dated ? now : nil)
    }

    private func text(_ plan: ManifestPlan, _ format: ManifestFormat = .json) -> String {
        ManifestText(name: "today", plan: plan, format: format).pieces.map(\.self).joined()
    }

    @Test("the mix has as many runs as asked for, and one of each share from 50 on", arguments: [0, 1, 50, 300, 2000])
    func counts(_ runs: Int) {
        let counts = Mix.all.counts(of: runs)
        #expect(counts.reduce(0, +) == runs)
        if runs >= 50 { #expect(counts.allSatisfy { $0 > 0 }) }
        #expect(plan(runs).entries.count == runs)
    }

    @Test("most of the mix succeeds at once, and little of it fails forever")
    func realistic() {
        let runs = plan(300).entries.map(\.run)
        #expect(runs.filter { $0.code >> 4 == 0x200_0000 }.count > 180)
        #expect(runs.filter { ($0.scenario?.recovers ?? false) && $0.parameter == 0 }.count <= 8)
    }

    @Test("without dates, the same seed gives the same bytes forever")
    func constant() {
        #expect(text(plan(300)) == text(plan(300)))
        #expect(text(plan(300)) != text(plan(300, seed: 2)))
        // If this changes, every checked-in manifest is out of date.
        #expect(stableHash(text(plan(300))) == 5_649_028_642_346_762_213)
        #expect(!text(plan(300)).contains("executed_at"))
    }

    @Test("no run occurs twice, and manifests of two seeds share none")
    func distinct() {
        let first = Set(plan(300, pages: 9).entries.map(\.run))
        let second = Set(plan(300, pages: 9, seed: 2).entries.map(\.run))
        #expect(first.count == 309)
        #expect(first.isDisjoint(with: second))
    }

    @Test("dates lie within the last seven days, but for what expired: eight days ago, or untold")
    func dates() {
        for entry in plan(300, dated: true).entries {
            let age = entry.executedAt.map { now.timeIntervalSince($0) / 86_400 }
            switch entry.run.scenario {
            case .expired: #expect(age.map { (1...1.1).contains($0) || (8...9).contains($0) } ?? true)
            case .gone: #expect(age.map { $0 > 7 } ?? false)
            default: #expect(age.map { (0..<7).contains($0) } ?? false)
            }
        }
    }

    @Test("the JSON is a manifest with labels, inputs and pages to follow")
    func json() throws {
        let text = text(plan(50, pages: 3, dated: true))
        let manifest = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary)
        #expect(manifest["version"] as? Int == 1 && manifest["name"] as? String == "today")
        let actions = try #require(manifest["stored_actions"] as? [String: NSDictionary])
        #expect(actions.count == 6 && actions.values.allSatisfy { $0["label"] is String })
        let runs = try #require(manifest["runs"] as? [NSDictionary])
        #expect(runs.reduce(0) { $0 + (($1["run_ids"] as? [Any])?.count ?? 1) } == 53)
        let lists = runs.filter { $0["follow_pages"] as? Bool == true }
        #expect(lists.count == 3)
        for list in lists {
            let inputs = try #require(list["inputs"] as? NSDictionary)
            let id = try #require((list["run_id"] as? String).flatMap { CodedID(parsing: $0) })
            let page = try #require(BulkPage(run: id))
            #expect(inputs["chain"] as? Int == Int(page.chain) && inputs["pages"] as? Int == Int(page.pages))
            #expect(inputs["rows"] as? Int == page.rows && inputs["cursors"] as? String == page.cursors.name)
        }
    }

    @Test("ordinary bulk reads end in three ways, and those of a plain read name its type")
    func ordinaryBulkReads() throws {
        let lists = plan(0, pages: 8).entries
        let ends = try lists.map { try #require(BulkPage(run: $0.run)).cursors.end?.text ?? "absent" }
        #expect(Set(ends) == ["null", "absent", "\"\""])
        for list in lists { #expect(list.actionType == (list.action.actionKind == .readBulk ? nil : "read")) }
        #expect(Set(lists.map(\.action.actionKind)) == [.readBulk, .read])
        let text = text(plan(0, pages: 8), .jsonl)
        #expect(text.split(separator: #""action_type":"read""#).count == 3)
    }

    @Test("the inputs of a bulk read lead a POST to the chain of its root, whatever befalls it")
    func inputs() throws {
        let shares = PagesMix.all.shares
        for list in plan(0, pages: shares.count, .all).entries {
            let inputs = try #require(list.inputs?.text)
            let submission = try #require(Submission(Array(#"{"data":{"inputs":\#(inputs),"page":"0"}}"#.utf8)))
            #expect(submission.chain(of: list.action).run() == list.run)
        }
    }

    @Test("a mix of bulk reads says what befalls them, how often and where, or their cursors")
    func pagesMix() throws {
        #expect(PagesMix.share("throttled-page") == .init(course: .throttledPage, times: 1))
        #expect(PagesMix.share("pending-page:3:15") == .init(course: .pendingPage, times: 3, place: 15))
        #expect(PagesMix.share("urls") == .init(cursors: .urls))
        for wrong in ["", "plain", "urls:1", "circle:16", "circle:x", "circle:1:2:3", "unheard-of"] {
            #expect(PagesMix.share(wrong) == nil)
        }
        var mix = PagesMix(shares: [try #require(PagesMix.share("circle:0:2"))])
        mix.pages = 50
        mix.rows = 100
        let run = try #require(plan(0, pages: 1, mix).entries.first?.run)
        let page = BulkPage(chain: 1009, pages: 50, rows: 100, course: .circle, place: 2)
        #expect(BulkPage(run: run) == page && "\(run)".hasPrefix("20b00200-0232-"))
    }

    @Test("JSON Lines and CSV have one run a line")
    func lines() {
        let plan = plan(50, dated: true)
        #expect(text(plan, .jsonl).split(separator: "\n").count == 50)
        let csv = text(plan, .csv).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(csv[0] == "stored_action_id,run_id,executed_at" && csv.count == 52)
    }

    @Test("the list of scenarios names every one, with its digits")
    func scenarios() {
        for scenario in Scenario.allCases {
            #expect(ListScenarios.text.contains("\(scenario.digits)  \(scenario.name) "))
        }
        for course in BulkCourse.allCases {
            #expect(ListScenarios.text.contains("\(course.digits)  \(course.name) "))
        }
        for cursors in BulkCursors.allCases {
            #expect(ListScenarios.text.contains("\(cursors.digits)  \(cursors.name) "))
        }
    }

    @Test(
        "the two forms of a time are right at the ends of months, years and leap years",
        arguments: [
            (784_111_777.0, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
            (951_782_399.9, "Mon, 28 Feb 2000 23:59:59 GMT", "2000-02-28T23:59:59Z"),
            (951_782_400.0, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00Z"),
            (1_798_761_599.0, "Thu, 31 Dec 2026 23:59:59 GMT", "2026-12-31T23:59:59Z"),
            (0.0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
        ])
    func timestamps(_ seconds: Double, _ http: String, _ iso: String) {
        let timestamp = Timestamp(Date(timeIntervalSince1970: seconds))
        #expect(timestamp.httpDate == http && timestamp.iso8601 == iso)
    }
}
