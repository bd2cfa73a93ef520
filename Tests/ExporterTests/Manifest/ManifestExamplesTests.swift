import Foundation
import JSONText
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The examples and the schema that ship")
struct ManifestExamplesTests {
    /// The package's own folder.
    private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    @Test("The examples are valid, name the same runs and agree, even in one call", arguments: ["jsonl", "csv"])
    func examples(ending: String) throws {
        let sources = ["full.json", "runs.\(ending)"].map {
            ManifestSource(.file(path: "\(root)/jobs/examples/\($0)"))
        }
        let manifests = try ManifestReader.read(sources, temporaryDirectory: NSTemporaryDirectory())
        #expect(manifests.list.map(\.name) == ["example", "runs"])
        #expect(manifests.list.map(\.items) == [3, 3])
        #expect(manifests.runCount == 3)
    }

    @Test("The schema knows the keys that the reader knows, no more and no fewer")
    func schema() throws {
        let path = "\(root)/jobs/schema/manifest.schema.json"
        let schema = try JSONValue(validating: Array(try #require(FileManager.default.contents(atPath: path))))
        let definitions = try #require(schema["$defs"])
        func keys(_ value: JSONValue?) -> [String]? { value?["properties"]?.members().map(\.key) }
        #expect(keys(schema) == ManifestKeys.top)
        #expect(keys(definitions["storedAction"]) == ManifestKeys.settings)
        #expect(keys(definitions["run"]) == ManifestKeys.run)
        #expect(definitions["max_pages"]?["minimum"]?.int == PageSettings.maxPagesRange.lowerBound)
        #expect(definitions["max_pages"]?["maximum"]?.int == PageSettings.maxPagesRange.upperBound)
        #expect(definitions["max_pages"]?["default"]?.int == PageSettings.defaultMaxPages)
        #expect(definitions["first_page"]?["default"]?.string == PageSettings.defaultFirstPage)
    }
}
