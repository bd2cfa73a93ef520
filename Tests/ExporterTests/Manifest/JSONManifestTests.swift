import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Manifests in JSON")
struct JSONManifestTests {
    private static let action = ManifestFixture.action

    private func problems(_ text: String) throws -> [String] {
        try ManifestFixture.problems(in: text, named: "today.json")
    }

    /// What is wrong with one element of `runs`, where `ids` stands for the ids that every run needs.
    private func problems(ofRun text: String) throws -> [String] {
        let element = text.replacingOccurrences(of: "ids,", with: ManifestFixture.ids(1) + ",")
        return try problems(ManifestFixture.json("{\(element)}"))
    }

    @Test("A run takes its own settings first, then its stored action's, then the defaults")
    func settings() throws {
        let storedActions = """
            {"\(Self.action.uppercased())": {"label": "leads", "follow_pages": true, "inputs": {"list": "leads"}, \
            "action_type": "read_bulk", "max_pages": 500, "first_page": "1"}}
            """
        let runs = """
            {"stored_action_id": "\(Self.action.uppercased())", "run_id": "\(ManifestFixture.run(1).uppercased())"},
            {\(ManifestFixture.ids(2)), "executed_at": "2026-11-20T09:30:00Z", "label": "leads", "follow_pages": false,
             "inputs": { "list" : 1.50 }, "action_type": "never seen", "max_pages": 1000000, "first_page": "0"},
            {"stored_action_id": "\(ManifestFixture.otherAction)",
             "run_ids": ["\(ManifestFixture.run(3))", "\(ManifestFixture.run(4))"]}
            """
        let text = ManifestFixture.json(runs, storedActions: storedActions)
        let found = try ManifestFixture.runs(in: text, named: "today.json")
            .sorted { $0.key.runID.uuidString < $1.key.runID.uuidString }
        try #require(found.count == 4)
        #expect(found.map { $0.key.runID.lowercase } == (1...4).map(ManifestFixture.run))
        #expect(found[0].key.storedActionID.lowercase == Self.action)
        #expect(
            found[0].pages
                == PageSettings(
                    followPages: true, inputs: Array(#"{"list": "leads"}"#.utf8), actionType: "read_bulk",
                    maxPages: 500,
                    firstPage: "1"))
        #expect(found[0].label == "leads" && found[0].executedAt == nil && found[0].manifests == [0])
        #expect(
            found[1].pages
                == PageSettings(
                    followPages: false, inputs: Array(#"{ "list" : 1.50 }"#.utf8), actionType: "never seen",
                    maxPages: 1_000_000, firstPage: "0"))
        #expect(found[1].label == "leads" && found[1].executedAt == Date(timeIntervalSince1970: 1_795_167_000))
        #expect(
            found[2].pages
                == PageSettings(followPages: false, inputs: nil, actionType: nil, maxPages: 1_000, firstPage: "0"))
        #expect(found[2].label == nil)
    }

    @Test("runs may come before stored_actions, and may be empty; pages may be followed without inputs")
    func order() throws {
        let text = """
            {"runs": [{\(ManifestFixture.ids(1)), "follow_pages": true}],
             "stored_actions": {"\(Self.action)": {"max_pages": 7}}, "version": 1}
            """
        #expect(try ManifestFixture.runs(in: text, named: "a.json").first?.pages.maxPages == 7)
        #expect(try ManifestFixture.runs(in: #"{"version": 1, "runs": []}"#, named: "a.json").isEmpty)
        #expect(try problems("\u{FEFF}{\"version\": 1, \"runs\": []}").isEmpty)
    }

    @Test(
        "What is wrong at the top is reported",
        arguments: [
            (#"{"runs": []}"#, [#"version: missing: write "version": 1"#]),
            (#"{"version": 1}"#, [#"runs: missing: write "runs": [...]"#]),
            (#"{"version": 2, "runs": []}"#, ["version: version 2 is not supported: this program reads version 1"]),
            (#"{"version": "1", "runs": []}"#, ["version: is a string: write the number 1"]),
            (#"{"version": 1.0, "runs": []}"#, ["version: is a number: write the number 1"]),
            (#"{"version": 1, "runs": {}}"#, ["runs: is an object: write an array of runs"]),
            (#"{"version": 1, "runs": null}"#, ["runs: is null: write an array of runs"]),
            (
                #"{"version": 1, "runs": [], "stored_actions": []}"#,
                ["stored_actions: is an array: write an object whose keys are stored action ids"]
            ),
            (
                #"{"version": 1, "run": []}"#,
                [#"run: unknown key: did you mean "runs"?"#, #"runs: missing: write "runs": [...]"#]
            ),
            (
                #"{"version": 1, "runs": [], "comment": {"a": [1]}}"#,
                ["comment: unknown key: remove it; known here are version, name, stored_actions, runs"]
            ),
            (
                #"{"version": 1, "runs": [], "": 1, "stored_actions": {"": {}}}"#,
                [
                    #""": unknown key: remove it; known here are version, name, stored_actions, runs"#,
                    #"stored_actions."": "" is not a UUID: the keys of stored_actions are stored action ids"#,
                ]
            ),
            (#"{"version": 1, "version": 2, "runs": []}"#, ["version: duplicate key: remove one"]),
            (#"{"version": 1, "name": 5, "runs": []}"#, ["name: is a number: write a string"]),
            (#"{"version": 1, "name": "", "runs": []}"#, ["name: the name is empty: write 1 to 200 characters"]),
            (#"{"version": 1, "name": "a\nb", "runs": []}"#, ["name: the name holds a control character: remove it"]),
        ])
    func top(text: String, expected: [String]) throws {
        #expect(try problems(text) == expected)
    }

    @Test(
        "What is wrong with a run is reported with its place and its fix",
        arguments: [
            (#"ids, "run_idd": 1"#, [#"runs[0].run_idd: unknown key: did you mean "run_id"?"#]),
            (
                #"ids, "colour": 1"#,
                [
                    "runs[0].colour: unknown key: remove it; known here are stored_action_id, run_id, run_ids, "
                        + "executed_at, label, follow_pages, inputs, action_type, max_pages, first_page"
                ]
            ),
            (#"ids, "label": "a", "label": "a""#, ["runs[0].label: duplicate key: remove one"]),
            (
                "",
                [
                    "runs[0].run_id: missing: every entry needs run_id or run_ids",
                    "runs[0].stored_action_id: missing: every run needs it",
                ]
            ),
            (
                #"ids, "run_ids": []"#,
                [
                    "runs[0].run_ids: stands beside run_id: keep one of the two",
                    "runs[0].run_ids: is empty: name at least one run, or leave this entry out",
                ]
            ),
            (
                #""stored_action_id": "4f4e", "run_id": "9B1D""#,
                [
                    "runs[0].stored_action_id: \"4f4e\"" + noUUID, "runs[0].run_id: \"9B1D\"" + noUUID,
                ]
            ),
            (
                #""stored_action_id": "{4f4e0000-0000-4000-8000-00000000000}", "run_id": 7"#,
                [
                    "runs[0].stored_action_id: \"{4f4…\" of 37 characters" + noUUID,
                    "runs[0].run_id: a number" + noUUID,
                ]
            ),
            (#"ids, "executed_at": "2026-11-20""#, ["runs[0].executed_at: \"2026-11-20\"" + noDate]),
            (#"ids, "executed_at": 1795167000"#, ["runs[0].executed_at: a number" + noDate]),
            (#"ids, "executed_at": null"#, ["runs[0].executed_at: null" + noDate]),
            (#"ids, "label": 5"#, [#"runs[0].label: is a number: write "5", in quotes"#]),
            (#"ids, "label": "a\u0000b""#, ["runs[0].label: holds a control character: remove it"]),
            (#"ids, "follow_pages": "yes""#, ["runs[0].follow_pages: is a string: write true or false"]),
            (#"ids, "inputs": [1]"#, [#"runs[0].inputs: is an array: write an object such as {"list": "leads"}"#]),
            (#"ids, "action_type": """#, ["runs[0].action_type: is empty: write a text, or leave it out"]),
            (#"ids, "action_type": true"#, ["runs[0].action_type: is true: write a string"]),
            (#"ids, "max_pages": 0"#, ["runs[0].max_pages: is 0: write an integer from 1 to 1000000"]),
            (#"ids, "max_pages": 1000001"#, ["runs[0].max_pages: is 1000001: write an integer from 1 to 1000000"]),
            (#"ids, "max_pages": 5.0"#, ["runs[0].max_pages: is 5.0: write an integer from 1 to 1000000"]),
            (#"ids, "max_pages": "5""#, ["runs[0].max_pages: is a string: write an integer from 1 to 1000000"]),
            (#"ids, "first_page": 0"#, [#"runs[0].first_page: is a number: write "0", in quotes"#]),
        ])
    func run(text: String, expected: [String]) throws {
        #expect(try problems(ofRun: text) == expected)
    }

    @Test("run_ids is a non-empty array of UUIDs, and a bad one is reported by its index")
    func runIDs() throws {
        let action = #""stored_action_id": "\#(Self.action)""#
        #expect(
            try problems(ofRun: #"\#(action), "run_ids": "x""#) == [
                "runs[0].run_ids: is a string: write an array of UUIDs"
            ])
        #expect(
            try problems(ofRun: #"\#(action), "run_ids": ["\#(ManifestFixture.run(1))", "x", 5]"#) == [
                "runs[0].run_ids[1]: \"x\"" + noUUID, "runs[0].run_ids[2]: a number" + noUUID,
            ])
        #expect(
            try problems(ofRun: #"\#(action), "run_ids": []"#) == [
                "runs[0].run_ids: is empty: name at least one run, or leave this entry out"
            ])
    }

    @Test("A label has 200 characters at most")
    func label() throws {
        let longest = String(repeating: "é", count: 200)
        #expect(try problems(ofRun: #"ids, "label": "\#(longest)""#).isEmpty)
        #expect(
            try problems(ofRun: #"ids, "label": "\#(longest)x""#) == [
                "runs[0].label: has 201 characters: 200 are the most"
            ])
    }

    @Test("What is wrong with stored actions is reported")
    func storedActions() throws {
        let text = ManifestFixture.json(
            "",
            storedActions: """
                {"abc": {}, "\(Self.action)": {"lable": "x", "max_pages": "5", "executed_at": 1},
                 "\(Self.action.uppercased())": {}, "\(ManifestFixture.otherAction)": 5}
                """)
        #expect(
            try problems(text) == [
                "stored_actions.abc: \"abc\" is not a UUID: the keys of stored_actions are stored action ids",
                "stored_actions.\(Self.action).lable: unknown key: did you mean \"label\"?",
                "stored_actions.\(Self.action).executed_at: unknown key: remove it; known here are "
                    + "label, follow_pages, inputs, action_type, max_pages, first_page",
                "stored_actions.\(Self.action).max_pages: is a string: write an integer from 1 to 1000000",
                "stored_actions.\(Self.action.uppercased()): duplicate stored action: remove one",
                "stored_actions.\(ManifestFixture.otherAction): is a number: "
                    + "write an object such as {\"label\": \"new_leads\"}",
            ])
    }

    @Test("An element of runs must be an object, and all elements are reported")
    func elements() throws {
        #expect(
            try problems(
                ManifestFixture.json("5, {\(ManifestFixture.ids(1))}, [1], {\(ManifestFixture.ids(2)), \"x\": 1}")
            ).map {
                String($0.prefix(28))
            } == ["runs[0]: is a number: write ", "runs[2]: is an array: write ", "runs[3].x: unknown key: remo"])
    }

    @Test(
        "A text that breaks off the grammar is reported with its line and column, after what was found before",
        arguments: [
            (
                "",
                ["line 1, column 1: the text is empty: write {\"version\": 1, \"runs\": []} for a manifest of no runs"]
            ),
            (
                " \n ",
                ["line 2, column 2: the text is empty: write {\"version\": 1, \"runs\": []} for a manifest of no runs"]
            ),
            ("[]", ["line 1, column 1: a manifest is an object: write {\"version\": 1, \"runs\": [...]}"]),
            ("{\"version\": 1, \"runs\": [", ["line 1, column 25: the text ends before it is complete"]),
            ("{\"version\": 1, \"runs\": [{\"run_id\": \"9b", ["line 1, column 39: the text ends inside a string"]),
            (
                "{\"version\": 2,\n \"runs\": [7,]}",
                [
                    "version: version 2 is not supported: this program reads version 1",
                    "runs[0]: is a number: write an object with stored_action_id and run_id",
                    "line 2, column 13: a value is missing",
                ]
            ),
            (
                "{\"version\": 1, \"runs\": []}\n{}",
                [
                    "line 2, column 1: something follows after the end of the manifest; "
                        + "if it holds one run a line, name it .jsonl"
                ]
            ),
            (
                "{\"version\": 1, \"runs\": []} x",
                ["line 1, column 28: something follows after the end of the manifest"]
            ),
        ])
    func syntax(text: String, expected: [String]) throws {
        #expect(try problems(text) == expected)
    }

    @Test("Bytes that are not UTF-8 are reported with their place, UTF-16 with its fix")
    func encoding() throws {
        let fixture = try ManifestFixture()
        let latin = Array("{\"version\": 1,\n \"name\": \"caf".utf8) + [0xE9] + Array("\", \"runs\": []}".utf8)
        #expect(fixture.problems([fixture.file("a.json", latin)]) == ["line 2, column 14: the text is not UTF-8"])
        let text = #"{"version": 1, "runs": []}"#
        let bigEndian = text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        let littleEndian = text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        for bytes in [bigEndian, littleEndian, [0xFE, 0xFF] + bigEndian, [0xFF, 0xFE] + littleEndian] {
            let expected = ["the text is not UTF-8 but looks like UTF-16: save it as UTF-8"]
            #expect(fixture.problems([fixture.file("b.json", bytes)]) == expected)
        }
    }

    @Test("Nesting over 1,000 levels and values over the limit are problems; the rest is read on")
    func limits() throws {
        let fixture = try ManifestFixture()
        func nested(_ depth: Int) -> String {
            // The run itself and `inputs` are the two outer levels.
            let arrays = String(repeating: "[", count: depth - 2) + String(repeating: "]", count: depth - 2)
            return #"{\#(ManifestFixture.ids(1)), "inputs": {"a": \#(arrays)}}"#
        }
        #expect(fixture.problems([fixture.file("a.json", ManifestFixture.json(nested(1_000)))]).isEmpty)
        #expect(
            fixture.problems([fixture.file("b.json", ManifestFixture.json(nested(1_001) + ", 5"))]) == [
                "runs[0]: nests deeper than 1000 levels",
                "runs[1]: is a number: write an object with stored_action_id and run_id",
            ])
        let large = #"{\#(ManifestFixture.ids(1)), "label": "\#(String(repeating: "x", count: 300))"}"#
        #expect(
            fixture.problems([fixture.file("c.json", ManifestFixture.json(large + ", 5"))], pieceLimit: 300) == [
                "runs[0]: is larger than 300 bytes",
                "runs[1]: is a number: write an object with stored_action_id and run_id",
            ])
    }
}

private let noUUID = " is not a UUID: write one such as \"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\""
private let noDate =
    " is not an ISO 8601 date-time with a time zone (years 1970 to 9999): write one such as \"2026-11-20T09:30:00Z\""
