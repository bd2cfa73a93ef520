import Foundation
import Postgres
import Testing

/// Text of a manifest that would be a path or SQL if anybody let it.
@Suite("Hostile manifests")
struct HostileIDTests {
    private static let action = "ac000001-0000-4000-8000-000000000001"
    private static let run = "20000000-0001-4000-8000-000000000001"

    /// As they stand between the quotes of a JSON string.
    private static let hostile = [
        "../\(run)", "..%2f..%2f", "%2e%2e/\(run)", "\(run)/../../x", "/\(run)", "\(run)/", "\(run)?x=1", "\(run)#x",
        "\(run) ", " \(run)", "\(run)\\n", "\(run)\\u0000", "\\u0000", "x'; drop table runs; --", "'", "\\\"", "''",
        "%00",
        "{\(run)}", run.replacing("-", with: ""), run.replacing("-", with: "%2d"), run.replacing("-", with: "\u{2010}"),
        run.replacing("0", with: "\u{FF10}"), run.replacing("0", with: "\u{0660}"),
        run.replacing("a", with: "\u{430}") + "\u{430}",
        String(run.dropLast()) + "g", String(run.dropLast()), run + "0", String(repeating: "a", count: 10_000), "",
        "00000000000000000000000000000000000z", "\u{202E}\(run)",
    ]

    private static func manifests(_ text: String) -> [(place: String, json: String)] {
        [
            ("runs[0].run_id", #"{"version": 1, "runs": [{"stored_action_id": "\#(action)", "run_id": "\#(text)"}]}"#),
            (
                "runs[0].run_ids[1]",
                #"{"version": 1, "runs": [{"stored_action_id": "\#(action)", "run_ids": ["\#(run)", "\#(text)"]}]}"#
            ),
            (
                "runs[0].stored_action_id",
                #"{"version": 1, "runs": [{"stored_action_id": "\#(text)", "run_id": "\#(run)"}]}"#
            ),
            ("stored_actions", #"{"version": 1, "stored_actions": {"\#(text)": {"label": "x"}}, "runs": []}"#),
        ]
    }

    @Test func `An ID that is no UUID is refused with 65 and its place, before anything is asked or written`()
        async throws
    {
        try await Stage.with { stage in
            for text in Self.hostile {
                for (place, json) in Self.manifests(text) {
                    let path = try stage.write(json, to: "today.json")
                    let finished = try await stage.run("export", "--manifest", path, "--json")
                    #expect(finished.status == 65, "\(place): \(text.prefix(60))")
                    let problems = try finished.object()["problems"] as? [[String: Any]] ?? []
                    #expect(
                        problems.contains { ($0["place"] as? String)?.hasPrefix(place) == true },
                        "\(place): \(text.prefix(60)): \(finished.stdout.prefix(300))")
                    #expect(finished.stderr.utf8.count < 2000)
                }
            }
            for (name, head) in [("x.csv", "stored_action_id,run_id\n"), ("x.jsonl", "")] {
                let line =
                    head.isEmpty
                    ? #"{"stored_action_id": "\#(Self.action)", "run_id": "../x"}"#
                    : "\(Self.action),x'; drop table runs"
                let path = try stage.write(head + line + "\n", to: name)
                let finished = try await stage.run("export", "--manifest", path)
                #expect(finished.status == 65)
                #expect(finished.stderr.contains("line \(head.isEmpty ? 1 : 2): run_id"), "\(finished.stderr)")
            }
            #expect(try await stage.sandbox.requestsByPath.isEmpty)
            #expect(try await stage.database.holds("to_regnamespace('stored_actions') is null"))
        }
    }

    @Test func `IDs in upper case are asked for in lower case, and are the same runs`() async throws {
        try await Stage.with { stage in
            let ids = Manifest.of(3, .success, 1, from: 0xABC).runs.map(\.id)
            let json = #"""
                {"version": 1, "runs": [{"stored_action_id": "\#(Self.action.uppercased())",
                 "run_ids": [\#((ids.map { $0.uppercased() } + ids).map { "\"\($0)\"" }.joined(separator: ", "))]}]}
                """#
            let path = try stage.write(json, to: "today.json")
            let finished = try await stage.run("export", "--manifest", path)
            #expect(finished.status == 0, "\(finished.stderr)")
            let asked = try await stage.sandbox.requestsByPath
            #expect(
                asked
                    == Dictionary(
                        uniqueKeysWithValues: ids.map {
                            ("GET /actions/v1/stored-actions/\(Self.action)/runs/\($0)", 1)
                        }))
            #expect(try await stage.database.rows("select run_id from runs order by 1") == ids)
        }
    }

    /// Free text: whatever it holds, it is somebody's name for a thing.
    private static let texts = [
        "x'; drop table stored_actions.runs; --", "$1 $$ $body$ \\\\ \\' \\\" %s %n", "../../../etc/passwd",
        "%2e%2e%2f?a=b#c",
        "a,b\"c|d;e", "é🦉 \u{202E}\u{430}", "{\"$ref\": \"x\"}", "\\N", "NULL", "' or 1=1 --",
    ]

    private static func quoted(_ text: String) throws -> String {
        String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
    }

    @Test func `Labels and names of manifests arrive in the tables as they are`() async throws {
        try await Stage.with { stage in
            for (number, text) in Self.texts.enumerated() {
                let action = Chain.Action.read.id(number + 1)
                let json = """
                    {"version": 1, "name": \(try Self.quoted(text)),
                     "stored_actions": {"\(action)": {"label": \(try Self.quoted(text))}},
                     "runs": [{"stored_action_id": "\(action)", "run_id": "\(Self.run)"}]}
                    """
                let path = try stage.write(json, to: "today.json")
                let finished = try await stage.run("export", "--manifest", path, "--json")
                #expect(finished.status == 0, "\(text): \(finished.stderr)")
                #expect(try (finished.object()["manifests"] as? [String]) == [text])
                #expect(
                    try await stage.database.holds(
                        "exists (select from actions where label = $1)", [.text(text)]), "\(text)")
                #expect(
                    try await stage.database.holds(
                        "exists (select from export_manifests where name = $1)", [.text(text)]), "\(text)")
            }
            #expect(try await stage.database.count("runs") == Self.texts.count)
            let paths = try await stage.sandbox.requestsByPath.keys
            #expect(
                paths.allSatisfy {
                    $0.hasSuffix("/runs/\(Self.run)") && $0.hasPrefix("GET /actions/v1/stored-actions/ac000001-")
                })
            #expect(paths.count == Self.texts.count)
            #expect(try await stage.run("status").status == 0)
        }
    }

    @Test func `Cursors and inputs reach the API inside JSON bodies alone`() async throws {
        try await Stage.with { stage in
            // Cursors of the API's that hold quotes, slashes, a line break; and a first page that only a manifest names.
            for (number, text) in Self.texts.enumerated() {
                let chain = Chain(number: number + 1, cursors: .awkward)
                let json = """
                    {"version": 1, "name": "today", "runs": [{"stored_action_id": "\(chain.action)",
                     "run_id": "\(chain.root)", "follow_pages": true, "first_page": \(try Self.quoted(text)),
                     "inputs": {"root": "\(chain.root)", \(try Self.quoted(text)): \(try Self.quoted(text))}}]}
                    """
                let path = try stage.write(json, to: "today.json")
                let finished = try await stage.run("export", "--manifest", path)
                #expect(finished.status == 0, "\(text): \(finished.stderr)")
                try await stage.expectWhole(chain, text)
                #expect(
                    try await stage.database.holds(
                        "exists (select from page_chains where first_page = $1)", [.text(text)]), "\(text)")
                #expect(
                    try await stage.database.rows(
                        "select page from page_intents where root_run_id = $1::uuid order by page_number",
                        [.text(chain.root)]) == [chain.cursor(1), chain.cursor(2)])
            }
            let action = Chain.Action.readBulk.id(1)
            let paths = try await stage.sandbox.requestsByPath.keys
            let prefix = "/actions/v1/stored-actions/\(action)"
            for path in paths {
                let isLookUp = path == "GET \(prefix)"
                let isStart = path == "POST \(prefix)/run"
                let isRead =
                    path.hasPrefix("GET \(prefix)/runs/20b0")
                    && path.utf8.count == "GET \(prefix)/runs/".utf8.count + 36
                #expect(isLookUp || isStart || isRead, "\(path)")
            }
        }
    }
}
