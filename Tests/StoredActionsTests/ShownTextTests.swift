import Foundation
import Logging
import Testing

@testable import ExportCore
@testable import Exporter
@testable import stored_actions

@Suite("Foreign text in what is shown")
struct ShownTextTests {
    private static let evil = "a\u{1B}[2J\nforged\r\u{9B}m\u{202E}b\u{2028}"
    private static let shown = #"a\u{1B}[2J\nforged\r\u{9B}m\u{202E}b\u{2028}"#

    @Test("A log line is one line, in its message and its metadata")
    func logLines() throws {
        let line = LogLine(
            level: .error, message: Self.evil, fields: [("k", Self.evil)],
            at: Date(timeIntervalSince1970: 1_795_167_000))
        #expect(line.text(.text) == "2026-11-20T09:30:00Z error \(Self.shown) k=\(Self.shown)")
        let json = line.text(.json)
        #expect(json == json.shownOnOneLine)
        let object = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
        #expect(object["message"] == Self.evil && object["k"] == Self.evil)
    }

    @Test("JSON keeps the text and shows none of it raw")
    func json() throws {
        let text = try jsonText([Self.evil + "\u{7F}é👩‍👩‍👧"])
        #expect(text == text.shownOnOneLine)
        #expect(text.contains("é👩‍👩‍👧"))
        #expect(try JSONDecoder().decode([String].self, from: Data(text.utf8)) == [Self.evil + "\u{7F}é👩‍👩‍👧"])
    }

    @Test("A cell of a table is one line")
    func cells() {
        #expect(aligned([["a\nb"], [Self.evil]]) == "a\\nb\n\(Self.shown)")
    }

    @Test("A failure is one line, but for the list of a manifest's problems, of which each is one")
    func failures() {
        let failure = Failure(1, Self.evil)
        #expect(failure.text == Self.evil && failure.shown == Self.shown)
        let problem = ManifestProblem(source: Self.evil, place: "name", message: Self.evil)
        let invalid = Failure(ManifestProblems(problems: [problem, problem], totalCount: 2))
        let lines = invalid.shown.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 3)
        #expect(lines.dropFirst().allSatisfy { $0 == "  \(Self.shown): name: \(Self.shown)" })
    }

    @Test("The summary's names and reasons are within their line")
    func summary() throws {
        var summary = Summary(manifests: [Self.evil], end: .ended(.invalidSetting(Self.evil), .invalidSetting))
        summary.exportID = 1
        let export = try #require(try Export.parse(["--manifest", Self.evil]) as Export?)
        let command = ContinuingCommand(export: export, arguments: ["export", "--manifest", Self.evil])
        let text = SummaryText(summary: summary, command: command).text
        #expect(text.shownOnItsLines == text)
        #expect(text.split(separator: "\n").allSatisfy { !$0.hasPrefix("forged") })
    }

    @Test(
        "An argument with control characters is quoted so that shells read them back",
        arguments: [
            ("a\u{1B}[2J", #"$'a\x1b[2J'"#), ("it's\n\\", #"$'it\'s\x0a\\'"#), ("é\u{202E}", #"$'é\xe2\x80\xae'"#),
        ])
    func quoting(argument: String, quoted: String) {
        #expect(shellQuoted(argument) == quoted)
    }
}
