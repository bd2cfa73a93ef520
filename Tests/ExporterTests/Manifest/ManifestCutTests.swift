import Foundation
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Manifests that are empty, cut short or written to")
struct ManifestCutTests {
    private let fixture: ManifestFixture
    private static let header = "stored_action_id,run_id"
    private static let ids = "\(ManifestFixture.action),\(ManifestFixture.run(1))"

    init() throws {
        fixture = try ManifestFixture()
    }

    @Test(
        "JSON Lines and CSV that name no run are a problem, unless they may be empty",
        arguments: [
            ("a.jsonl", ""), ("a.jsonl", "\n\n"), ("a.ndjson", "\u{FEFF}"), ("a.csv", "stored_action_id,run_id"),
            ("a.csv", "stored_action_id,run_id,label\r\n\r\n"), ("a.csv", ""), ("a.csv", "\u{FEFF}\n"),
        ])
    func empty(name: String, text: String) throws {
        let problems = try ManifestFixture.problems(in: text, named: name)
        #expect(problems.count == 1)
        #expect(
            problems[0].hasPrefix("names no run: it may not be written yet")
                || problems[0].hasPrefix("the text is empty"))
        #expect(try ManifestFixture.runs(in: text, named: name, allowsEmpty: true).isEmpty)
    }

    @Test("Each of several manifests must name a run, in JSON none need")
    func emptyBesideOthers() throws {
        let lines = fixture.file("a.jsonl", "{\(ManifestFixture.ids(1))}\n")
        let empty = fixture.file("b.jsonl", "")
        let json = fixture.file("c.json", ManifestFixture.json(""))
        #expect(fixture.problems([lines, json]) == [])
        #expect(fixture.problems([lines, empty, json]).count == 1)
        #expect(fixture.problems([lines, empty, json], allowsEmpty: true) == [])
        #expect(fixture.problems([fixture.file("d.json", "")], allowsEmpty: true).count == 1)
    }

    @Test("Where every run is wrong, that is the only problem")
    func wrong() throws {
        #expect(try ManifestFixture.problems(in: "[]\n", named: "a.jsonl").count == 1)
    }

    @Test("The number of different runs that is expected must be met, over all manifests")
    func expectedRuns() throws {
        let sources = [
            fixture.file(
                "a.jsonl", "{\(ManifestFixture.ids(1))}\n{\(ManifestFixture.ids(2))}\n{\(ManifestFixture.ids(1))}\n"),
            fixture.file("b.json", ManifestFixture.json("{\(ManifestFixture.ids(2))}, {\(ManifestFixture.ids(3))}")),
        ]
        #expect(fixture.problems(sources, expectedRuns: 3) == [])
        for expected in [0, 2, 4] {
            #expect(
                fixture.problems(sources, expectedRuns: expected) == [
                    "the manifests name 3 runs: wait until they are whole, or correct the number"
                ])
        }
        let error = #expect(throws: ManifestProblems.self) { try fixture.read(sources, expectedRuns: 4) }
        #expect(error?.problems.first?.source == "--expect-runs 4")
        let bad = sources + [fixture.file("c.jsonl", "5\n")]
        #expect(fixture.problems(bad, expectedRuns: 4).count == 1)
        #expect(fixture.problems([fixture.file("d.json", ManifestFixture.json(""))], expectedRuns: 0) == [])
    }

    @Test("A last line that was cut is reported as such")
    func cutLines() throws {
        let whole = "{\(ManifestFixture.ids(1))}\n{\(ManifestFixture.ids(2)), \"label\": \"a\", \"max_pages\": 12}"
        #expect(try ManifestFixture.problems(in: whole, named: "a.jsonl") == [])
        let secondLine = try #require(whole.firstIndex(of: "\n")).utf16Offset(in: whole) + 1
        for length in (secondLine + 1)..<whole.utf8.count {
            let problems = try ManifestFixture.problems(in: String(whole.prefix(length)), named: "a.jsonl")
            #expect(problems.count == 1, "\(length)")
            #expect(problems.first?.hasPrefix("line 2: ") == true && problems.first?.hasSuffix(cutShortMessage) == true)
        }
    }

    @Test("A last record that was cut is reported as such, wherever that can be seen")
    func cutRecords() throws {
        let end = ManifestFixture.run(2) + ",2026-11-20T09:30:00.25Z"
        let whole = "\(Self.header),executed_at\n\(Self.ids),\n\(ManifestFixture.action),\(end)"
        #expect(try ManifestFixture.problems(in: whole, named: "a.csv") == [])
        for count in 1..<(end.utf8.count + 36) where count != 23 {
            let problems = try ManifestFixture.problems(in: String(whole.dropLast(count)), named: "a.csv")
            #expect(problems.count == 1, "\(count)")
            #expect(problems.first?.hasPrefix("line 3: ") == true, "\(problems)")
            #expect(problems.first?.hasSuffix(cutShortMessage) == true, "\(problems)")
        }
    }

    @Test(
        "A last value that is valid but may have been cut is warned of",
        arguments: [
            ("label", "lea", true), ("label", "lea\n", false), ("label", "\"lea\"", false), ("label", "", true),
            ("executed_at", "", true), ("executed_at", "\n", false),
            ("max_pages", "50", true), ("first_page", "1", true), ("action_type", "read", true),
            ("follow_pages", "true", false), ("executed_at", "2026-11-20T09:30:00Z", false),
            ("inputs", "{}", false),
        ])
    func openValue(column: String, value: String, isTold: Bool) throws {
        let source = fixture.file("a.csv", "\(Self.header),\(column)\n\(Self.ids),\(value)")
        let warnings = try fixture.read([source]).warnings
        #expect(warnings.map(\.place) == (isTold ? ["line 2: \(column)"] : []))
    }

    @Test("A file that is written to while it is read is a problem", arguments: [false, true])
    func changes(isShorter: Bool) throws {
        let path = fixture.path("a.jsonl")
        _ = fixture.file("a.jsonl", String(repeating: "\n", count: 200_000))
        let input = try ManifestInput(.file(path: path), standardInput: 0)
        #expect(try !input.read().isEmpty)
        #expect(!input.hasChanged)
        let writer = try #require(FileHandle(forWritingAtPath: path))
        try writer.truncate(atOffset: isShorter ? 100_000 : 300_000)
        while try !input.read().isEmpty {}
        #expect(input.hasChanged)
    }

    @Test("A file that another one replaces while it is read is read whole, and is no problem")
    func replaced() throws {
        let path = fixture.path("a.jsonl")
        _ = fixture.file("a.jsonl", "\n\n")
        let input = try ManifestInput(.file(path: path), standardInput: 0)
        _ = fixture.file("b.jsonl", "{}")
        try #require(rename(fixture.path("b.jsonl"), path) == 0)
        #expect(try input.read() == [0x0A, 0x0A])
        #expect(try input.read().isEmpty)
        #expect(!input.hasChanged)
    }

    @Test("Standard input may be a file of which a part was read before")
    func partOfFile() throws {
        _ = fixture.file("a.jsonl", "first line\n{\(ManifestFixture.ids(1))}\n")
        let handle = try #require(FileHandle(forReadingAtPath: fixture.path("a.jsonl")))
        try handle.seek(toOffset: 11)
        let manifests = try ManifestReader.read(
            [ManifestSource(.standardInput)], temporaryDirectory: fixture.folder,
            standardInput: handle.fileDescriptor)
        #expect(manifests.runCount == 1)
    }
}
