import ArgumentParser
import Exporter
import Foundation

struct ManifestOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "File that names the runs to export; - is standard input. May be given several times.",
            discussion: "JSON, JSON Lines (.jsonl, .ndjson) or CSV (.csv).", valueName: "file"))
    var manifest: [String] = []

    @Option(help: ArgumentHelp("Name of the manifest on standard input.", valueName: "name"))
    var name: String?

    func requireSome() throws {
        guard !manifest.isEmpty else {
            throw ValidationError("Missing --manifest: name a file, or - for standard input.")
        }
        try requireNameFits()
    }

    func requireNameFits() throws {
        if name != nil, !manifest.contains("-") {
            throw ValidationError("--name is for the manifest on standard input (--manifest -).")
        }
    }

    /// - Throws: `ManifestProblems`; `SpoolError` when the temporary directory has no room.
    func read(keepAllProblems: Bool) throws -> Manifests {
        try ManifestReader.read(
            manifest.map { path in
                path == "-" ? ManifestSource(.standardInput, name: name) : ManifestSource(.file(path: path))
            },
            maxProblems: keepAllProblems ? .max : 100, temporaryDirectory: NSTemporaryDirectory())
    }
}

extension ManifestOptions {
    /// The sources, for people.
    var shown: String { manifest.map { $0 == "-" ? "standard input" : $0 }.joined(separator: ", ") }
}
