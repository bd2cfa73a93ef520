import ArgumentParser
import Exporter
import Foundation

struct ManifestOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "File that names the runs to export; - is standard input. May be given several times.",
            discussion: "JSON, JSON Lines (.jsonl, .ndjson) or CSV (.csv), also packed with gzip.", valueName: "file"))
    var manifest: [String] = []

    @Option(help: ArgumentHelp("Name of the manifest on standard input.", valueName: "name"))
    var name: String?

    @Flag(help: "Accept a JSON Lines or CSV manifest that names no run.")
    var allowEmpty = false

    @Option(
        help: ArgumentHelp("Refuse manifests that name another number of runs in all than this.", valueName: "n"))
    var expectRuns: Int?

    /// Whether any of these options was given.
    var isGiven: Bool { !manifest.isEmpty || name != nil || allowEmpty || expectRuns != nil }

    func requireSome() throws {
        guard !manifest.isEmpty else {
            throw ValidationError("Missing --manifest: name a file, or - for standard input.")
        }
        if let expectRuns, expectRuns < 0 {
            throw ValidationError("--expect-runs is a whole number from 0 up.")
        }
        if name != nil, !manifest.contains("-") {
            throw ValidationError("--name is for the manifest on standard input (--manifest -).")
        }
    }

    /// - Throws: `ManifestProblems`; `SpoolError` when the temporary directory has no room.
    func read(keepAllProblems: Bool, _ console: Console) throws -> Manifests {
        let manifests = try ManifestReader.read(
            manifest.map { path in
                path == "-" ? ManifestSource(.standardInput, name: name) : ManifestSource(.file(path: path))
            },
            maxProblems: keepAllProblems ? .max : 100, temporaryDirectory: NSTemporaryDirectory(),
            allowsEmpty: allowEmpty, expectedRuns: expectRuns)
        for warning in manifests.warnings { console.logger.warning("\(warning.description)") }
        return manifests
    }
}

extension ManifestOptions {
    /// The sources, for people.
    var shown: String { manifest.map { $0 == "-" ? "standard input" : $0 }.joined(separator: ", ") }
}
