import Foundation
import Postgres
import Testing

/// Chains of pages, from their root to each of the ends that the contract knows.
@Suite("Ends of chains")
struct EndReasonTests {
    private struct Case: Sendable {
        let what: String
        var chain: Chain
        var maxPages: Int?
        var firstPage: String?
        /// The pages stored, in the order of the chain.
        let pages: [Int]
        let end: String
        /// Rows of all pages; nil: each page is full.
        var results: Int?

        var run: Manifest.Run { Manifest.Run(chain, maxPages: maxPages, firstPage: firstPage) }
        var resultCount: Int { results ?? pages.count * chain.rows }
    }

    private static func numbered(_ cases: [Case], from number: Int) -> [Case] {
        cases.enumerated().map { index, entry in
            var entry = entry
            entry.chain.number = number + index
            return entry
        }
    }

    /// Complete to the contract: an export of them ends with 0.
    private static let complete = numbered(
        Chain.Cursors.allCases.map {
            Case(what: "\($0)", chain: Chain(number: 0, cursors: $0), pages: [0, 1, 2], end: "last_page")
        } + [
            Case(what: "a root without cursor", chain: Chain(number: 0, pages: 1), pages: [0], end: "last_page"),
            Case(
                what: "as many pages as max_pages", chain: Chain(number: 0), maxPages: 3, pages: [0, 1, 2],
                end: "last_page"),
            Case(
                what: "one page of max_pages 1", chain: Chain(number: 0, pages: 1, cursors: .opaque), maxPages: 1,
                pages: [0], end: "last_page"),
            Case(
                what: "one empty page", chain: Chain(number: 0, pages: 5, course: .emptyPage),
                pages: [0, 1, 2, 3, 4], end: "last_page", results: 8),
            Case(
                what: "an empty root", chain: Chain(number: 0, course: .emptyPage, place: Chain.atRoot),
                pages: [0, 1, 2], end: "last_page", results: 4),
            Case(
                what: "an empty last page", chain: Chain(number: 0, course: .emptyPage, place: 2),
                pages: [0, 1, 2], end: "last_page", results: 4),
            Case(
                what: "two empty pages, the second the last",
                chain: Chain(number: 0, pages: 4, course: .twoEmptyPages, place: 2), pages: [0, 1, 2, 3],
                end: "last_page", results: 4),
            Case(
                what: "two empty pages", chain: Chain(number: 0, pages: 6, course: .twoEmptyPages, place: 2),
                pages: [0, 1, 2, 3], end: "empty_pages", results: 4),
            Case(
                what: "an empty root and an empty page",
                chain: Chain(number: 0, pages: 6, course: .twoEmptyPages, place: Chain.atRoot), pages: [0, 1],
                end: "empty_pages", results: 0),
            Case(
                what: "empty pages for ever", chain: Chain(number: 0, pages: 2, course: .emptyTail, cursors: .urls),
                pages: [0, 1, 2, 3], end: "empty_pages", results: 4),
            Case(
                what: "empty pages only, numbered",
                chain: Chain(
                    number: 0, pages: 6, course: .emptyPage, cursors: .numbers, place: Chain.everywhere),
                pages: [0, 1], end: "empty_pages", results: 0),
            Case(
                what: "two empty pages that max_pages would end too",
                chain: Chain(number: 0, pages: 6, course: .twoEmptyPages, place: 1), maxPages: 3, pages: [0, 1, 2],
                end: "empty_pages", results: 2),
            Case(
                what: "a page that is pending", chain: Chain(number: 0, course: .pendingPage, times: 1),
                pages: [0, 1, 2], end: "last_page"),
            Case(
                what: "a page that waits", chain: Chain(number: 0, course: .waitingPage, times: 1),
                pages: [0, 1, 2], end: "last_page"),
            Case(
                what: "a page that is 404 just after its POST",
                chain: Chain(number: 0, course: .latePage, times: 1), pages: [0, 1, 2], end: "last_page"),
            Case(
                what: "a page that is 500 at first", chain: Chain(number: 0, course: .failedPage, times: 1),
                pages: [0, 1, 2], end: "last_page"),
            Case(
                what: "POSTs answered in every form", chain: Chain(number: 0, pages: 6, course: .startedForms),
                pages: [0, 1, 2, 3, 4, 5], end: "last_page"),
            Case(
                what: "a first page of another name", chain: Chain(number: 0, pages: 1, cursors: .strings),
                firstPage: "start", pages: [0], end: "last_page"),
        ], from: 0x100)

    /// `truncated` to the contract.
    private static let truncated = numbered(
        [
            Case(what: "max_pages 1", chain: Chain(number: 0), maxPages: 1, pages: [0], end: "max_pages"),
            Case(what: "max_pages 2", chain: Chain(number: 0), maxPages: 2, pages: [0, 1], end: "max_pages"),
            Case(
                what: "max_pages of an endless chain", chain: Chain(number: 0, course: .endless, cursors: .bigNumbers),
                maxPages: 5, pages: [0, 1, 2, 3, 4], end: "max_pages"),
            Case(
                what: "the root's own cursor", chain: Chain(number: 0, course: .zeroCursor), pages: [0],
                end: "repeated_cursor"),
            Case(
                what: "the root's own cursor as a number",
                chain: Chain(number: 0, course: .zeroCursor, cursors: .numbers), pages: [0], end: "repeated_cursor"),
            Case(
                what: "the root's own cursor, which is not the manifest's first page",
                chain: Chain(number: 0, course: .zeroCursor), firstPage: "start", pages: [0, 0],
                end: "repeated_cursor"),
            Case(
                what: "a circle to the first page", chain: Chain(number: 0, course: .circle), pages: [0, 1, 2],
                end: "repeated_cursor"),
            Case(
                what: "a circle to page 1", chain: Chain(number: 0, course: .circle, cursors: .awkward, place: 1),
                pages: [0, 1, 2], end: "repeated_cursor"),
            Case(
                what: "a page that names itself",
                chain: Chain(number: 0, course: .circle, cursors: .numbers, place: 15),
                pages: [0, 1, 2], end: "repeated_cursor"),
            Case(
                what: "a circle to the first page, named by the manifest",
                chain: Chain(number: 0, course: .circle, cursors: .opaque), firstPage: "after:0", pages: [0, 1, 2],
                end: "repeated_cursor"),
            Case(
                what: "a circle to the first page, not known by that name",
                chain: Chain(number: 0, course: .circle, cursors: .opaque), pages: [0, 1, 2, 0],
                end: "repeated_cursor"),
            Case(
                what: "a circle that max_pages would end too",
                chain: Chain(number: 0, pages: 2, course: .circle, place: 1), maxPages: 2, pages: [0, 1],
                end: "repeated_cursor"),
        ], from: 0x200)

    private func expect(_ entry: Case, on stage: Stage) async throws {
        let chain = entry.chain
        let row = try await stage.end(of: chain)
        #expect(row == "\(entry.pages.count)|\(entry.resultCount)|\(entry.end)", "\(entry.what)")
        let posts = try await stage.sandbox.posts(of: chain)
        #expect(posts == stage.oncePosted(chain, entry.pages), "\(entry.what)")
        let runs = try await stage.runs(of: chain)
        #expect(runs == stage.successes(chain, entry.pages), "\(entry.what)")
        let differences = try await stage.differences(chain, pages: entry.pages)
        #expect(differences == [], "\(entry.what)")
        let cursors = try await stage.database.rows(
            """
            select next_page from runs where root_run_id = $1::uuid and stored_action_id = $2::uuid
             order by page_number
            """, [.text(chain.root), .text(chain.action)])
        #expect(cursors.dropLast() == entry.pages.dropFirst().map(chain.cursor)[...], "\(entry.what)")
        #expect((cursors.last == "") == (entry.end == "last_page"), "\(entry.what)")
        // All pages of a chain are asked for with the same inputs.
        let inputs = Set(try await stage.sandbox.submissions(of: chain).map(\.inputsHash))
        #expect(inputs.count <= 1, "\(entry.what)")
    }

    private func counts(_ cases: [Case]) -> [String: Int] {
        Dictionary(grouping: cases, by: \.end).mapValues(\.count)
    }

    @Test func `Chains come to their end with every page stored once, and the export is complete`() async throws {
        let cases = Self.complete
        try await Stage.with { stage in
            let manifest = Manifest(runs: cases.map(\.run))
            let export = try await stage.export(manifest)
            #expect(export.status == 0, "\(export.finished.stderr)")
            let (summary, chains) = (try export.summary, try export.chains)
            #expect(summary.items == cases.count)
            #expect(summary.met == ["success": cases.count])
            #expect(chains.chains == counts(cases))
            #expect(chains.openChains == 0)
            #expect(chains.chainsInDoubt.isEmpty)
            #expect(chains.pagesFollowed == cases.map { $0.pages.count - 1 }.reduce(0, +))
            #expect(chains.results == cases.map(\.resultCount).reduce(0, +))
            #expect(try await stage.database.count("runs where page is not null and executed_at is not null") == 0)
            #expect(
                try await stage.database.count(
                    "runs where page is not null and expires_at <> first_seen_at + interval '7 days'") == 0)
            #expect(try await stage.database.count("export_items") == cases.count)
            for entry in cases { try await expect(entry, on: stage) }

            let again = try await stage.export(manifest)
            #expect(again.status == 0)
            #expect(try again.summary.requests.total == 0)
            #expect(try again.summary.alreadySettled == cases.count)
            #expect(try again.chains.pagesFollowed == 0)
            #expect(try again.chains.chains == counts(cases))
        }
    }

    @Test func `Chains that end before their last page keep all rows, and end with 3 unless --fail-on forgives it`()
        async throws
    {
        let cases = Self.truncated
        try await Stage.with { stage in
            let manifest = Manifest(runs: cases.map(\.run))
            let export = try await stage.export(manifest)
            #expect(export.status == 3, "\(export.finished.stderr)")
            #expect(try export.chains.chains == counts(cases))
            #expect(try export.chains.openChains == 0)
            #expect(try export.summary.outcome == "complete")
            for entry in cases { try await expect(entry, on: stage) }
            let posts = try await stage.sandbox.kinds.runs
            for (options, status) in [(["--fail-on", "none"], Int32(0)), (["--fail-on", "truncated"], 3)] {
                let again = try await stage.run(
                    ["export", "--json", "--manifest", stage.folder.appending(path: "today.json").path] + options)
                #expect(again.status == status)
            }
            #expect(try await stage.sandbox.kinds.runs == posts)
        }
    }

    @Test func `Pages of a chain stand in paged_results in the order of the chain`() async throws {
        try await Stage.with { stage in
            let chain = Chain(number: 7, pages: 12, rows: 3, cursors: .opaque)
            let export = try await stage.export(Manifest.following([chain]))
            #expect(export.status == 0, "\(export.finished.stderr)")
            let positions = try await stage.database.rows(
                "select (payload ->> 'position')::int from paged_results where root_run_id = $1::uuid",
                [.text(chain.root)])
            #expect(positions == (0..<36).map(String.init))
        }
    }

    @Test func `What stands under a stored action follows the pages of all its runs`() async throws {
        try await Stage.with { stage in
            // The sandbox knows such chains by the action's id alone: V pages, H, R rows.
            let action = "ac000002-0004-4000-8000-000500000003"
            let chain = Chain(number: 5, pages: 4, rows: 3, action: action)
            try stage.write(
                """
                {"version": 1, "name": "today", "stored_actions": {"\(action)": {"follow_pages": true, "label": "list"}},
                 "runs": [{"stored_action_id": "\(action)", "run_ids": ["\(chain.root)"]}]}
                """, to: "today.json")
            let finished = try await stage.run("export", "--json", "--manifest", "today.json")
            #expect(finished.status == 0, "\(finished.stderr)")
            try await stage.expectWhole(chain)
        }
    }

    @Test func `Manifests of lines and of CSV follow pages, too`() async throws {
        try await Stage.with { stage in
            let (line, record) = (Chain(number: 1, cursors: .opaque), Chain(number: 2, pages: 4, cursors: .numbers))
            try stage.write(Manifest.Run(line).json + "\n", to: "lines.jsonl")
            let inputs = record.inputs.replacingOccurrences(of: "\"", with: "\"\"")
            try stage.write(
                """
                stored_action_id,run_id,follow_pages,inputs,max_pages
                \(record.action),\(record.root),true,"\(inputs)",10

                """, to: "records.csv")
            let finished = try await stage.run(
                "export", "--json", "--manifest", "lines.jsonl", "--manifest", "records.csv")
            #expect(finished.status == 0, "\(finished.stderr)")
            try await stage.expectWhole(line)
            try await stage.expectWhole(record)
        }
    }
}
