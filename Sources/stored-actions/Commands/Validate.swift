import ArgumentParser
import Exporter
import Foundation

struct Validate: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Checks manifests, without network or database.",
        discussion: """
            EXAMPLE
              stored-actions validate --manifest jobs/today.json
            """)

    @OptionGroup var manifests: ManifestOptions
    @OptionGroup var output: OutputOptions

    mutating func validate() throws { try manifests.requireSome() }

    private struct Result: Encodable {
        struct Manifest: Encodable {
            var name: String
            var source: String
            var items: Int
            var sha256: String
        }

        var exitStatus: Int32 = 0
        var manifests: [Manifest]
        var items: Int

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case manifests, items
        }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let read = try manifests.read(keepAllProblems: output.json, console)
        let lines = read.list.map {
            "\($0.source): valid: \(count($0.items, "run")), named \"\($0.name)\"".shownOnOneLine
        }
        let total = read.list.count > 1 ? ["\(count(read.runCount, "run")) in all"] : []
        return Report(
            text: (lines + total).joined(separator: "\n"),
            json: Result(
                manifests: read.list.map {
                    .init(name: $0.name, source: $0.source, items: $0.items, sha256: $0.sha256)
                }, items: read.runCount))
    }
}
