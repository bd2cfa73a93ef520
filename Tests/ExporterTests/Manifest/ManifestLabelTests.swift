import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Labels of stored actions")
struct ManifestLabelTests {
    private let action = ManifestFixture.action
    private let fixture: ManifestFixture

    init() throws {
        fixture = try ManifestFixture()
    }

    private func labels(_ sources: [ManifestSource]) throws -> [String: String?] {
        let pairs = try fixture.read(sources).storedActions.map { ($0.key.lowercase, $0.value.label) }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    @Test(
        "A label on a run names the run's stored action, whatever the form",
        arguments: [
            (
                "a.json",
                ManifestFixture.json("{\(ManifestFixture.ids(1))}, {\(ManifestFixture.ids(2)), \"label\": \"leads\"}")
            ),
            ("a.jsonl", "{\(ManifestFixture.ids(1))}\n{\(ManifestFixture.ids(2)), \"label\": \"leads\"}\n"),
            (
                "a.csv",
                "stored_action_id,run_id,label\n\(ManifestFixture.action),\(ManifestFixture.run(1)),\n"
                    + "\(ManifestFixture.action),\(ManifestFixture.run(2)),leads\n"
            ),
        ])
    func onRuns(name: String, text: String) throws {
        let source = fixture.file(name, text)
        #expect(try labels([source]) == [action: "leads"])
        #expect(try fixture.read([source]).runs().map(\.label) == ["leads", "leads"])
    }

    @Test("Labels of several stored actions and manifests stand beside one another")
    func beside() throws {
        let other = ManifestFixture.otherAction
        let first = fixture.file(
            "a.json", ManifestFixture.json("", storedActions: #"{"\#(action)": {"max_pages": 3}}"#))
        let second = fixture.file("b.jsonl", "{\(ManifestFixture.ids(1)), \"label\": \"leads\"}\n")
        let third = fixture.file(
            "c.csv", "stored_action_id,run_id,label\n\(other),\(ManifestFixture.run(2)),invoices\n")
        #expect(try labels([first, second, third]) == [action: "leads", other: "invoices"])
        #expect(try fixture.read([first, second, third]).runs().map(\.pages.maxPages).sorted() == [3, 1_000])
    }

    @Test(
        "Within one manifest a run's label wins over the one under stored_actions, and the last run's over those before",
        arguments: [
            (
                "a.jsonl",
                "{\(ManifestFixture.ids(1)), \"label\": \"a\"}\n\n{\(ManifestFixture.ids(2)), \"label\": \"b\"}\n"
                    + "{\(ManifestFixture.ids(3)), \"label\": \"c\"}\n",
                "c", ["line 3: label"]
            ),
            (
                "a.json",
                ManifestFixture.json(
                    "{\(ManifestFixture.ids(1)), \"label\": \"own\"}, {\(ManifestFixture.ids(2))}",
                    storedActions: "{\"\(ManifestFixture.action)\": {\"label\": \"leads\"}}"),
                "own", []
            ),
            (
                "a.json",
                "{\"runs\": [{\(ManifestFixture.ids(1)), \"label\": \"own\"}], \"version\": 1, "
                    + "\"stored_actions\": {\"\(ManifestFixture.action)\": {\"label\": \"leads\"}}}",
                "own", []
            ),
        ] as [(String, String, String, [String])])
    func lastWins(name: String, text: String, label: String, warned: [String]) throws {
        let source = fixture.file(name, text)
        #expect(try labels([source]) == [action: label])
        #expect(try fixture.read([source]).warnings.map(\.place) == warned)
    }

    @Test(
        "Two labels of one action in two manifests are a problem that names both places",
        arguments: [
            (
                [
                    ("a.jsonl", "{\(ManifestFixture.ids(1)), \"label\": \"a\"}\n"),
                    (
                        "b.csv",
                        "stored_action_id,run_id,label\n\(ManifestFixture.action),\(ManifestFixture.run(3)),b\n"
                            + "\(ManifestFixture.action),\(ManifestFixture.run(2)),a\n"
                    ),
                ],
                ["line 2: label: differs from what line 1 of a.jsonl says of it: make the two agree"]
            ),
            (
                [
                    (
                        "a.json",
                        ManifestFixture.json("", storedActions: "{\"\(ManifestFixture.action)\": {\"label\": \"a\"}}")
                    ),
                    ("b.jsonl", "{\(ManifestFixture.ids(1)), \"label\": \"b\"}\n"),
                ],
                ["line 1: label: differs from what a.json says of it: make the two agree"]
            ),
            (
                [
                    (
                        "a.json",
                        ManifestFixture.json(
                            "{\(ManifestFixture.ids(1)), \"label\": \"a\"}, {\(ManifestFixture.ids(1)), \"label\": \"b\"}"
                        )
                    )
                ],
                [
                    "runs[1].run_id: the run \(ManifestFixture.run(1)) is named before, at runs[0].run_id, "
                        + "with another label: make the two agree, or remove one"
                ]
            ),
        ] as [([(String, String)], [String])])
    func contradictions(files: [(String, String)], expected: [String]) {
        #expect(fixture.problems(files.map { fixture.file($0.0, $0.1) }) == expected)
    }
}
