import Foundation
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Where manifests come from, and their names")
struct ManifestSourceTests {
    private let fixture: ManifestFixture
    private let empty = #"{"version": 1, "runs": []}"#

    init() throws {
        fixture = try ManifestFixture()
    }

    /// Reads a text from a pipe.
    private func readPipe(_ text: String, name: String? = nil, with sources: [ManifestSource] = []) throws -> Manifests
    {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try pipe.fileHandleForWriting.close()
        return try ManifestReader.read(
            sources + [ManifestSource(.standardInput, name: name)], temporaryDirectory: fixture.folder,
            standardInput: pipe.fileHandleForReading.fileDescriptor)
    }

    @Test("The hash is that of the bytes read, the source that of the user")
    func hash() throws {
        let source = fixture.file("a.jsonl", "\u{FEFF}\n")
        let manifest = try #require(try fixture.read([source], allowsEmpty: true).list.first)
        #expect(manifest.sha256 == "b42f2099187886def637d6aa840022266e05cb6c987a9394e708e23cd505eb46")
        #expect(manifest.source == fixture.path("a.jsonl"))
        let abc = try fixture.read([fixture.file("abc.jsonl", "")], allowsEmpty: true)
        #expect(abc.list.map(\.sha256) == ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])
    }

    @Test("What can't be read is reported in the system's words, together with the others")
    func unreadable() throws {
        let missing = ManifestSource(.file(path: fixture.path("missing.json")))
        let folder = ManifestSource(.file(path: fixture.folder))
        #expect(
            fixture.problems([missing, folder, fixture.file("a.json", "{}")]).prefix(3) == [
                "can't be read: No such file or directory", "can't be read: Is a directory",
                "version: missing: write \"version\": 1",
            ])
    }

    @Test("A manifest's name is its own, else the file's without its ending")
    func names() throws {
        let sources = [
            fixture.file("today.json", empty), fixture.file("a.tar.jsonl.gz", Compression.gzip.pack([])),
            fixture.file("plain", empty),
            fixture.file(".hidden", empty),
            fixture.file("b.json", #"{"version": 1, "name": "own é", "runs": []}"#),
        ]
        let names = ["today", "a.tar", "plain", ".hidden", "own é"]
        #expect(try fixture.read(sources, allowsEmpty: true).list.map(\.name) == names)
        let named = sources.map { ManifestSource($0.location, name: "ignored") }
        #expect(try fixture.read(named, allowsEmpty: true).list.map(\.name) == names)
    }

    @Test("Two sources of one default name are a problem, which says what to do")
    func clashes() {
        func file(_ path: String) -> ManifestSource { ManifestSource(.file(path: path)) }
        let sources = [
            file("a/today.json"), file("a/today.csv"), file("x.json"), ManifestSource(.standardInput),
        ]
        let clash = ManifestNameFault(
            message: #"the name "today" is that of a/today.json too: add another "name" to a JSON manifest, or rename "#
                + "the file")
        #expect(
            assignManifestNames(sources, given: [nil, nil, nil, nil])
                == [.success("today"), .failure(clash), .success("x"), .success("stdin")])
        #expect(
            assignManifestNames(sources, given: ["morning", nil, nil, nil]).map { try? $0.get() }
                == ["morning", "today", "x", "stdin"])
        #expect(
            assignManifestNames([file("bad\n.json")], given: [nil]) == [
                .failure(
                    ManifestNameFault(
                        message:
                            "no name can be made of the file's: the name holds a control character: "
                            + "remove it; rename the file"
                    ))
            ])
    }

    @Test("Two equal names given, and the same file twice, are problems")
    func twice() throws {
        let named = #"{"version": 1, "name": "same", "runs": []}"#
        let sources = [fixture.file("a.json", named), fixture.file("b.json", named)]
        #expect(
            fixture.problems(sources) == [#"name: the name "same" is that of a.json too: give one of them another"#])
        #expect(fixture.problems([sources[0], sources[0]]) == ["is given twice: give each manifest once"])
        let otherPath = ManifestSource(.file(path: fixture.folder + "/./a.json"))
        #expect(fixture.problems([sources[0], otherPath]) == ["is given twice: give each manifest once"])
    }

    @Test("A name has 1 to 200 characters, none of them a control character")
    func nameRules() {
        #expect(manifestNameFault(String(repeating: "x", count: 200)) == nil)
        #expect(
            manifestNameFault(String(repeating: "x", count: 201)) == "the name has 201 characters: 200 are the most")
        #expect(manifestNameFault("") == "the name is empty: write 1 to 200 characters")
        #expect(manifestNameFault("a\u{7F}") == "the name holds a control character: remove it")
    }

    @Test("Standard input is read by its looks: JSON, JSON Lines or CSV")
    func looks() throws {
        let manifest = Manifests.Manifest(
            name: "stdin", source: "standard input",
            sha256: "1f902ef9141660d372c76dc113fadbabb9c2db617c88e45c3fa5387f24a04a6c", items: 0)
        #expect(try readPipe(empty).list == [manifest])
        #expect(
            try readPipe("\u{FEFF} {\n \(ManifestFixture.ids(1))".replacingOccurrences(of: "\n", with: "") + "}")
                .runCount == 1)
        #expect(
            try readPipe("{\"label\": \"x\", \(ManifestFixture.ids(1))}\n{\(ManifestFixture.ids(2))}").runCount == 2)
        #expect(
            try readPipe("run_id,stored_action_id\n\(ManifestFixture.run(1)),\(ManifestFixture.action)").runCount == 1)
        #expect(throws: ManifestProblems.self) { try readPipe("") }
    }

    @Test("--name names standard input, over the manifest's own name")
    func nameOfStandardInput() throws {
        let named = #"{"version": 1, "name": "own", "runs": []}"#
        #expect(try readPipe(named).list.map(\.name) == ["own"])
        #expect(try readPipe(named, name: "given").list.map(\.name) == ["given"])
        let error = #expect(throws: ManifestProblems.self) { try readPipe(named, name: "") }
        #expect(
            error?.problems.map(\.description) == [
                "standard input: --name: the name is empty: write 1 to 200 characters"
            ])
    }

    @Test("Standard input given twice is a problem")
    func standardInputTwice() throws {
        let error = #expect(throws: ManifestProblems.self) {
            try readPipe(empty, with: [ManifestSource(.standardInput)])
        }
        #expect(error?.problems.map(\.message) == ["is given twice: give each manifest once"])
    }

    @Test("A temporary folder that can't be written is reported as such once there is much to put aside")
    func noTemporaryFolder() throws {
        let lines = (0..<1_000).map { "{\(ManifestFixture.ids($0))}\n" }.joined()
        let source = fixture.file("a.jsonl", lines)
        let error = #expect(throws: SpoolError.self) {
            try ManifestReader.read([source], temporaryDirectory: fixture.path("none"))
        }
        #expect(error?.reason == "no temporary file can be made in \(fixture.path("none")): No such file or directory")
    }

    @Test("What is put aside has no name in the temporary folder, however much it is", arguments: [1 << 20, 4096])
    func namelessFiles(pieceLimit: Int) throws {
        let lines = (0..<3_000).map { "{\(ManifestFixture.ids($0))}\n" }.joined()
        let source = fixture.file("a.jsonl", lines)
        let temporary = fixture.path("temporary")
        try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
        let manifests = try ManifestReader.read([source], temporaryDirectory: temporary, pieceLimit: pieceLimit)
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary) == [])
        var runs = 0
        try manifests.forEachRunAndPosition { _, _ in runs += 1 }
        #expect(runs == 3_000)
    }

    @Test(
        "The edit distance counts insertions, removals and replacements",
        arguments: [
            ("run_id", "run_id", 0), ("runid", "run_id", 1), ("rnu_id", "run_id", 2), ("lable", "label", 2),
            ("", "ab", 2),
        ])
    func distance(left: String, right: String, expected: Int) {
        #expect(editDistance(left, right) == expected)
    }
}
