import Foundation
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Files of other kinds, and manifests under a wrong name")
struct ForeignManifestTests {
    private static let action = ManifestFixture.action
    private static let json = ManifestFixture.json("{\(ManifestFixture.ids(1))}")
    private static let lines = "{\(ManifestFixture.ids(1))}\n{\(ManifestFixture.ids(2))}\n"
    private static let csv = "stored_action_id,run_id\n\(action),\(ManifestFixture.run(1))\n"
    private static let spread = "{\n  \(ManifestFixture.ids(1))\n}\n"
    private let fixture: ManifestFixture

    init() throws {
        fixture = try ManifestFixture()
    }

    private static func zip(_ name: String, _ content: String = "") -> [UInt8] {
        [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 26) + Array((name + content).utf8)
    }

    private static func utf16(_ text: String, isBigEndian: Bool) -> [UInt8] {
        text.utf16.flatMap { unit in
            isBigEndian ? [UInt8(unit >> 8), UInt8(unit & 0xFF)] : [UInt8(unit & 0xFF), UInt8(unit >> 8)]
        }
    }

    private static let tar = Array("runs.csv".utf8) + [UInt8](repeating: 0, count: 249) + Array("ustar\u{0}00".utf8)
    private static let foreign: [(bytes: [UInt8], said: String)] = [
        (zip("[Content_Types].xml"), "is an Excel workbook (.xlsx): save the sheet as CSV UTF-8"),
        (zip("_rels/.rels", "xl/workbook.xml"), "is an Excel workbook (.xlsx): save the sheet as CSV UTF-8"),
        (
            zip("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
            "is an OpenDocument spreadsheet: save the sheet as CSV in UTF-8"
        ),
        (zip("runs.csv"), "is a ZIP archive: unpack it, and give the file that is in it"),
        (
            [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, 0],
            "is an Excel workbook (.xls): save the sheet as CSV UTF-8"
        ),
        (Array("BZh91AY&SY".utf8), "is compressed with bzip2: unpack it first, or compress it with gzip"),
        ([0x28, 0xB5, 0x2F, 0xFD, 4], "is compressed with zstd: unpack it first, or compress it with gzip"),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0], "is compressed with xz: unpack it first, or compress it with gzip"),
        ([0x04, 0x22, 0x4D, 0x18, 0x64], "is compressed with lz4: unpack it first, or compress it with gzip"),
        ([0x1F, 0x9D, 0x90], "is compressed with compress (.Z): unpack it first, or compress it with gzip"),
        (Compression.gzip.pack(Compression.gzip.pack(csv.utf8)), "is compressed with gzip twice: unpack it once"),
        (tar, "is a tar archive: unpack it, and give the file that is in it"),
        (Compression.gzip.pack(tar), "is a tar archive: unpack it, and give the file that is in it"),
        ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C, 0], "is a 7-Zip archive: unpack it, and give the file that is in it"),
        (Array("PAR1".utf8) + [0x15, 4], "is a Parquet file: export it as CSV"),
        (Array("SQLite format 3\u{0}".utf8), "is an SQLite database: export the table as CSV"),
        (Array("%PDF-1.7".utf8), "is a PDF document: export the table as CSV"),
        (Array("{\\rtf1\\ansi".utf8), "is an RTF document: save it as plain text in UTF-8"),
        (
            Array("\u{FEFF}\n<!DOCTYPE html><title>Sign in</title>".utf8),
            "is an HTML page, perhaps an error or a login page: download the file again"
        ),
        (Array("<?xml version=\"1.0\"?>".utf8), "is XML: export the table as CSV"),
        ([1, 2, 0, 3, 4], "is binary data: give a file of JSON, JSON Lines or CSV"),
        ([0xFF, 0xFE] + utf16(csv, isBigEndian: false), notUTF8("UTF-16")),
        ([0xFE, 0xFF] + utf16(csv, isBigEndian: true), notUTF8("UTF-16")),
        (utf16(csv, isBigEndian: false), notUTF8("UTF-16")), (utf16(csv, isBigEndian: true), notUTF8("UTF-16")),
        (utf16(json, isBigEndian: false), notUTF8("UTF-16")), (utf16("é,", isBigEndian: false), notUTF8("UTF-16")),
        ([0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0], notUTF8("UTF-32")), ([0, 0, 0, 0x7B, 0, 0, 0, 0x22], notUTF8("UTF-32")),
    ]

    private static func notUTF8(_ encoding: String) -> String {
        "the text is not UTF-8 but looks like \(encoding): save it as UTF-8"
    }

    @Test("A file of another kind is named, with what to do, whatever its ending", arguments: foreign.indices)
    func foreignFile(index: Int) {
        let (bytes, said) = Self.foreign[index]
        for name in ["runs.csv", "runs.jsonl", "runs.json", "runs.csv.gz", "runs"] {
            #expect(fixture.problems([fixture.file(name, bytes)]) == [said], "\(name)")
        }
    }

    private static let csvInDisguise = "holds CSV: give the file the ending .csv"
    private static let linesInDisguise = "holds one run a line (JSON Lines): give the file the ending .jsonl"
    private static let jsonInDisguise = "holds a JSON manifest: give the file the ending .json"
    private static let otherJSON =
        "line 1: holds JSON of another form: write one run a line, or {\"version\": 1, \"runs\": [...]}"

    @Test(
        "A text under the ending of another form is named, with what to do",
        arguments: [
            ("runs.json", csv, csvInDisguise), ("runs", "sep=;\n" + csv, csvInDisguise),
            ("runs.json", csv.replacing(",", with: ";"), csvInDisguise), ("runs.txt", csv, csvInDisguise),
            ("runs.jsonl", "\u{FEFF}\"run_id\"\n", csvInDisguise), ("runs.ndjson", csv, csvInDisguise),
            ("runs.json", lines, linesInDisguise), ("runs.csv", lines, linesInDisguise),
            ("runs.csv", json, jsonInDisguise), ("runs.csv", "{}", jsonInDisguise),
            ("runs.jsonl", json, jsonInDisguise), ("runs.jsonl", "{\n  \"version\": 1,\n", jsonInDisguise),
            ("runs.jsonl", "[\n{\(ManifestFixture.ids(1))}]", otherJSON), ("runs.csv", "[]", otherJSON),
            ("runs.csv", spread, otherJSON),
            ("runs.json", spread, "holds a run, not a manifest: write {\"version\": 1, \"runs\": [...]} around it"),
            ("runs.jsonl", spread, "line 1: the run goes on in the next line: write each run on one line"),
            (
                "runs.jsonl", "{\"run_id\": \"\(ManifestFixture.run(1))\",\n\"stored_action_id\": \"\(action)\"}\n",
                "line 1: the run goes on in the next line: write each run on one line"
            ),
        ])
    func disguise(name: String, text: String, said: String) {
        #expect(fixture.problems([fixture.file(name, text)]) == [said])
        #expect(fixture.problems([fixture.file(name + ".gz", Compression.gzip.pack(text.utf8))]) == [said])
    }

    @Test(
        "CSV with other separators is named, with what to do",
        arguments: [
            (csv.replacing(",", with: ";"), "line 1: semicolons separate the columns: write commas in their place"),
            (csv.replacing(",", with: "\t"), "line 1: tabs separate the columns: write commas in their place"),
            (csv.replacing(",", with: "|"), "line 1: vertical bars separate the columns: write commas in their place"),
            (
                "\u{FEFF}\"stored_action_id\";\"run_id\";\"label\"\r\n",
                "line 1: semicolons separate the columns: write commas in their place"
            ),
            (
                "run_id;stored_action_id;notes, if any\n",
                "line 1: semicolons separate the columns: write commas in their place"
            ),
            ("sep=;\n" + csv, "line 1: a sep= line is for Excel alone: remove it, and separate the columns by commas"),
            (
                "\"SEP=,\"\r\n" + csv,
                "line 1: a sep= line is for Excel alone: remove it, and separate the columns by commas"
            ),
        ])
    func separators(text: String, said: String) {
        #expect(fixture.problems([fixture.file("runs.csv", text)]) == [said])
    }

    // MARK: gzip

    @Test(
        "Gzip is read as what it holds, whatever its ending",
        arguments: [
            ("a.json.gz", json), ("a.jsonl.GZ", lines), ("a.csv.gz", "\u{FEFF}" + csv), ("a.csv", csv),
            ("a.json", json),
        ])
    func gzip(name: String, text: String) throws {
        let packed = Compression.gzip.pack(text.utf8)
        let manifests = try fixture.read([fixture.file(name, packed)])
        #expect(manifests.runCount == (text == Self.lines ? 2 : 1))
        #expect(manifests.list[0].name == "a")
        // Of the file itself, as sha256sum tells it.
        let plain = try fixture.read([
            fixture.file("plain." + (name.contains("csv") ? "csv" : "json" + (name.contains("jsonl") ? "l" : "")), text)
        ])
        #expect(manifests.list[0].sha256 != plain.list[0].sha256)
    }

    @Test("Gzip of several members, and of far more than a chunk, is read to its end")
    func gzipMembers() throws {
        let text = (0..<30_000).map { "{\(ManifestFixture.ids($0))}\n" }.joined()
        let packed =
            Compression.gzip.pack(text.utf8) + Compression.gzip.pack("{\(ManifestFixture.ids(30_000))}\n".utf8)
        #expect(try fixture.read([fixture.file("a.jsonl.gz", packed)]).runCount == 30_001)
    }

    @Test("Gzip that is cut or damaged is a problem")
    func brokenGzip() {
        let packed = Compression.gzip.pack((0..<3_000).map { "{\(ManifestFixture.ids($0))}\n" }.joined().utf8)
        for count in [1, 8, 9, packed.count / 2, packed.count - 3] {
            #expect(
                fixture.problems([fixture.file("a.jsonl.gz", packed.dropLast(count))]) == [
                    "can't be read: its gzip data ends early, as if it was cut short: write it again, whole"
                ])
        }
        var damaged = packed
        damaged[packed.count - 6] ^= 0xFF
        #expect(
            fixture.problems([fixture.file("a.jsonl.gz", damaged)]) == [
                "can't be read: its gzip data is damaged (incorrect data check): write it again"
            ])
        #expect(fixture.problems([fixture.file("a.jsonl.gz", packed + Array("rest".utf8))]).count == 1)
    }

    // MARK: pipes

    private static let texts: [(text: String, runs: Int)] = [(json, 1), (lines, 2), (csv, 1)]

    @Test("A named pipe is read by its looks, whatever its name", arguments: texts.indices, [false, true])
    func pipes(index: Int, isPacked: Bool) throws {
        let path = fixture.path("runs.jsonl")
        try #require(mkfifo(path, 0o600) == 0)
        let (text, runs) = Self.texts[index]
        let bytes = isPacked ? Compression.gzip.pack(text.utf8) : Array(text.utf8)
        Thread.detachNewThread {
            guard let writer = FileHandle(forWritingAtPath: path) else { return }
            try? writer.write(contentsOf: Data(bytes))
            try? writer.close()
        }
        #expect(try fixture.read([ManifestSource(.file(path: path))]).runCount == runs)
    }

    @Test("A path of an open descriptor is read by its looks, be it a pipe or a file", arguments: texts.indices)
    func descriptors(index: Int) throws {
        let (text, runs) = Self.texts[index]
        _ = fixture.file("runs.dat", text)
        let handle = try #require(FileHandle(forReadingAtPath: fixture.path("runs.dat")))
        for folder in ["/dev/fd", "/proc/self/fd"] {
            let source = ManifestSource(.file(path: "\(folder)/\(handle.fileDescriptor)"))
            #expect(try fixture.read([source]).runCount == runs, "\(folder)")
        }
    }

    @Test("Only paths of descriptors are that")
    func descriptorPaths() {
        let paths = [
            "/dev/stdin", "/dev/fd/63", "/proc/self/fd/0", "/proc/12/fd/3", "dev/stdin", "/dev/fd/a", "/x/dev/stdin",
        ]
        #expect(
            paths.map { ManifestSource(.file(path: $0)).isDescriptor } == [true, true, true, true, false, false, false])
    }

    // MARK: what cannot be seen

    @Test(
        "Characters that cannot be seen are shown as escapes, where they spoil a value",
        arguments: [
            ("\u{200B}", #"\u{200B}"#), ("\u{A0}", #"\u{A0}"#), ("\u{FEFF}", #"\u{FEFF}"#), ("\u{202E}", #"\u{202E}"#),
            ("\u{3000}", #"\u{3000}"#), ("\u{85}", #"\u{85}"#), ("\t", #"\t"#), (" ", #"\u{20}"#),
        ])
    func invisible(character: String, escape: String) throws {
        let (run, date) = (ManifestFixture.run(1), "2026-11-20T09:30:00Z")
        func told(_ value: String) -> String { "\"\(value)\" \(invisibleMessage)" }
        let json = #"{"stored_action_id": "\#(Self.action)\#(character)", "run_id": "\#(character)\#(run)","#
        let inJSON = character == "\t" ? json.replacing("\t", with: #"\t"#) : json
        #expect(
            try ManifestFixture.problems(in: inJSON + #" "executed_at": "\#(date)"}"#, named: "a.jsonl") == [
                "line 1: stored_action_id: \(told(Self.action + escape))", "line 1: run_id: \(told(escape + run))",
            ])
        let header = "stored_action_id,run_id,executed_at,follow_pages,max_pages\n"
        let record = "\(Self.action),\(run),\(date)\(character),true\(character),\(character)5\n"
        #expect(
            try ManifestFixture.problems(in: header + record, named: "a.csv") == [
                "line 2: executed_at: \(told(date + escape))",
                "line 2: follow_pages: is \"true\(escape)\": write true or false",
                "line 2: max_pages: is \"\(escape)5\": write an integer from 1 to 1000000",
            ])
        let column = try ManifestFixture.problems(in: "stored_action_id,run_id\(character)\n", named: "a.csv")
        #expect(column.first == "line 1: \"run_id\(escape)\": unknown column: did you mean \"run_id\"?")
    }

    @Test("In the midst of an id they are shown, too, but not taken off")
    func invisibleWithin() throws {
        let broken = ManifestFixture.run(1).replacing("-4000-", with: "-\u{AD}4000-")
        let text = "stored_action_id,run_id\n\(Self.action),\(broken)\n"
        let shown = ManifestFixture.run(1).replacing("-4000-", with: #"-\u{AD}4000-"#)
        #expect(
            try ManifestFixture.problems(in: text, named: "a.csv") == [
                "line 2: run_id: \"\(shown)\" \(invisibleMessage)"
            ])
    }

    @Test("Blanks around an id in CSV do not matter")
    func blanks() throws {
        let text =
            "stored_action_id,run_id,label\n  \(Self.action)\t, \(ManifestFixture.run(1)) , kept \n"
            + "\" \(Self.action)\",\"\(ManifestFixture.run(2))  \", kept \n"
        let runs = try ManifestFixture.runs(in: text, named: "a.csv")
        #expect(runs.map { $0.key.runID.lowercase } == [1, 2].map(ManifestFixture.run))
        #expect(runs.map(\.label) == [" kept ", " kept "])
        #expect(
            try ManifestFixture.problems(in: "stored_action_id,run_id\n\(Self.action),  \n", named: "a.csv") == [
                "line 2: run_id: missing: every run needs it"
            ])
    }

    @Test("A message stays short, however much that cannot be seen is in a value")
    func manyInvisible() throws {
        let text = "stored_action_id,run_id\n\(Self.action),\(String(repeating: "\u{E0001}", count: 60))\n"
        let problems = try ManifestFixture.problems(in: text, named: "a.csv")
        #expect(problems.count == 1 && problems[0].contains("of 60 characters") && problems[0].count < 200)
    }

    @Test("A value that is none of those is never shown whole, whatever cannot be seen in it")
    func secrets() throws {
        let text = "stored_action_id,run_id\n\(Self.action),hush-hush-hush\u{200B}\n"
        #expect(try ManifestFixture.problems(in: text, named: "a.csv").allSatisfy { !$0.contains("hush-") })
    }
}
