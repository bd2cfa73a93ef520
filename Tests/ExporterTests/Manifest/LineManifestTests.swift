import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Manifests in JSON Lines and CSV")
struct LineManifestTests {
    private let ids = "\(ManifestFixture.action),\(ManifestFixture.run(1))"

    private func jsonLines(_ text: String) throws -> [String] {
        try ManifestFixture.problems(in: text, named: "runs.jsonl")
    }

    private func csv(_ text: String) throws -> [String] {
        try ManifestFixture.problems(in: text, named: "runs.csv")
    }

    @Test(
        "Each line is a run; blank lines, CRLF and a byte order mark do not matter",
        arguments: ["runs.jsonl", "runs.NDJSON"])
    func lines(name: String) throws {
        let text = """
            \u{FEFF}{\(ManifestFixture.ids(1)), "label": "a"}\r
            \r
              \u{20}
            {\(ManifestFixture.ids(2)), "first_page": "9", "executed_at": "2026-11-20T09:30:00Z"}
            """
        let runs = try ManifestFixture.runs(in: text, named: name)
        #expect(runs.map { $0.key.runID.lowercase } == [1, 2].map(ManifestFixture.run))
        #expect(runs.map(\.label) == ["a", "a"])
        #expect(runs.map(\.pages.firstPage) == ["0", "9"])
        #expect(runs.map(\.executedAt) == [nil, Date(timeIntervalSince1970: 1_795_167_000)])
    }

    @Test("Each bad line is one problem, and the next line is read on")
    func badLines() throws {
        let text = """
            {"stored_action_id":
            {\(ManifestFixture.ids(1))}

            {\(ManifestFixture.ids(2)), "run_id": "\(ManifestFixture.run(2))"}
            [1]
            {\(ManifestFixture.ids(3))} {}
            {\(ManifestFixture.ids(3)), "max_pages": 0}
            {"stored_action_id": "\(ManifestFixture.action)", "run_ids": ["\(ManifestFixture.run(4))"]}
            {"version": 1}
            """
        #expect(
            try jsonLines(text) == [
                "line 1: column 21: the text ends before its value is complete: write one JSON object a line",
                "line 4: run_id: duplicate key: remove one",
                "line 5: is an array: write an object with stored_action_id and run_id",
                "line 6: column 112: something follows after the end of the value: write one JSON object a line",
                "line 7: max_pages: is 0: write an integer from 1 to 1000000",
                "line 8: run_ids: is for JSON manifests: write one line with run_id for each run",
                "line 9: version: unknown key: remove it; known here are stored_action_id, run_id, executed_at, label, "
                    + "follow_pages, inputs, action_type, max_pages, first_page",
                "line 9: run_id: missing: every run needs it",
                "line 9: stored_action_id: missing: every run needs it",
            ])
    }

    @Test("Bytes that are not UTF-8, and lines beyond the limit, spoil their line alone")
    func spoiltLines() throws {
        let fixture = try ManifestFixture()
        let long = Array("{\(ManifestFixture.ids(1)), \"label\": \"\(String(repeating: "x", count: 150))\"}\n".utf8)
        let source = fixture.file(
            "a.jsonl", [0x7B, 0xFF, 0x0A] + Array("{\"\u{E9}".utf8.dropLast()) + [0x0A] + long + [0x35])
        #expect(
            fixture.problems([source], pieceLimit: 200) == [
                "line 1: column 2: a key in double quotes is missing: write one JSON object a line",
                "line 2: column 3: the text is not UTF-8: write one JSON object a line",
                "line 3: is larger than 200 bytes",
                "line 4: is a number: write an object with stored_action_id and run_id",
            ])
    }

    @Test("CSV has the keys as columns in any order; an empty cell is an absent value")
    func columns() throws {
        let text = #"""
            \#u{FEFF}label,run_id,follow_pages,stored_action_id,inputs,max_pages,first_page,executed_at,action_type\#r
            "new, ""leads""",\#(ManifestFixture.run(1)),true,\#(ManifestFixture.action.uppercased()),"{""list"":\#r
             ""x""}",12,0,2026-11-20T09:30:00Z,read_bulk\#r
            ,\#(ManifestFixture.run(2)),,\#(ManifestFixture.action),,,,,\#r

            """#
        let runs = try ManifestFixture.runs(in: text, named: "runs.CSV")
        try #require(runs.count == 2)
        #expect(runs[0].label == #"new, "leads""#)
        #expect(
            runs[0].pages
                == PageSettings(
                    followPages: true, inputs: Array("{\"list\":\r\n \"x\"}".utf8), actionType: "read_bulk",
                    maxPages: 12))
        #expect(runs[0].executedAt == Date(timeIntervalSince1970: 1_795_167_000))
        #expect(runs[1].label == runs[0].label && runs[1].pages == PageSettings() && runs[1].executedAt == nil)
    }

    @Test(
        "A header that does not fit is reported",
        arguments: [
            (
                "",
                ["the text is empty: its first line must name the columns, such as stored_action_id,run_id,executed_at"]
            ),
            (
                "\n\n",
                ["the text is empty: its first line must name the columns, such as stored_action_id,run_id,executed_at"]
            ),
            ("run_id\n", ["line 1: stored_action_id: missing: the header needs this column"]),
            ("stored_action_id,run_id,run_id\n", ["line 1: run_id: duplicate column: remove one"]),
            (
                "stored_action_id,run_id,secret-word-in-the-wrong-place\n",
                [
                    "line 1: \"secr…\" of 30 characters: unknown column: remove it; known here are stored_action_id, "
                        + "run_id, executed_at, label, follow_pages, inputs, action_type, max_pages, first_page"
                ]
            ),
            ("stored_action_id,run_id,runid\n", [#"line 1: runid: unknown column: did you mean "run_id"?"#]),
            (
                "stored_action_id,run_id,\n",
                [
                    "line 1: \"\": unknown column: remove it; known here are stored_action_id, run_id, executed_at, "
                        + "label, follow_pages, inputs, action_type, max_pages, first_page"
                ]
            ),
            (
                "stored_action_id,run_ids\n",
                [
                    "line 1: run_ids: is for JSON manifests: write one record with run_id for each run",
                    "line 1: run_id: missing: the header needs this column",
                ]
            ),
            ("\"run_id", ["line 1: a quoted field is not closed before the end of the text: close the quote"]),
        ])
    func header(text: String, expected: [String]) throws {
        #expect(try csv(text) == expected)
    }

    @Test("What is wrong with a record is reported with the line on which it starts, and the next record is read on")
    func records() throws {
        let text = #"""
            stored_action_id,run_id,inputs,follow_pages,max_pages,executed_at
            \#(ids),"{
            ""a"": 1
            ",,,
            \#(ids),[1],yes,+5,2026-11-20
            \#(ids),,,

            \#(ids),,,,,,
            x,,,,,
            \#(ids),"a"b,,,
            \#(ids),"{
            """#
        #expect(
            try csv(text) == [
                "line 2: inputs: is not JSON: the text ends before its value is complete (byte 10 of the cell): "
                    + "write an object such as {\"list\": \"leads\"}",
                "line 5: executed_at: \"2026-11-20\" is not an ISO 8601 date-time with a time zone "
                    + "(years 1970 to 9999): "
                    + "write one such as \"2026-11-20T09:30:00Z\"",
                "line 5: follow_pages: is \"yes\": write true or false",
                "line 5: inputs: is an array: write an object such as {\"list\": \"leads\"}",
                "line 5: max_pages: is \"+5\": write an integer from 1 to 1000000",
                "line 6: has 5 fields, but the header names 6: "
                    + "put fields that hold commas in quotes, and leave absent ones empty",
                "line 8: has 8 fields, but the header names 6: "
                    + "put fields that hold commas in quotes, and leave absent ones empty",
                "line 9: run_id: missing: every run needs it",
                "line 9: stored_action_id: \"x\" is not a UUID: "
                    + "write one such as \"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\"",
                "line 10: bytes follow after a closing quote: double the quotes that belong to the field",
                "line 11: a quoted field is not closed before the end of the text: close the quote",
            ])
    }

    @Test("A cell that is not UTF-8 is reported by its column")
    func encoding() throws {
        let fixture = try ManifestFixture()
        let bytes = Array("stored_action_id,run_id,label\n\(ids),caf".utf8) + [0xE9, 0x0A]
        let expected = ["line 2: label: the text is not UTF-8: save it as UTF-8"]
        #expect(fixture.problems([fixture.file("a.csv", bytes)]) == expected)
    }

    @Test("What inputs hold is never shown in a problem")
    func secrets() throws {
        let text = "stored_action_id,run_id,inputs\n\(ids),\"\"\"hush\"\"\"\n\(ids),{hush\n\(ids),hush\n"
        let problems = try csv(text)
        #expect(problems.count == 3)
        #expect(!problems.contains { $0.contains("hush") })
    }
}
