/// Where a manifest is read from.
package struct ManifestSource: Sendable, Hashable {
    package enum Location: Sendable, Hashable {
        /// The path as the user gave it.
        case file(path: String)
        case standardInput
    }

    package var location: Location
    /// Overrides the name of what is read from standard input; has no meaning for a file.
    package var name: String?

    package init(_ location: Location, name: String? = nil) {
        self.location = location
        self.name = name
    }

    /// How messages name the source: the path as given, or "standard input".
    package var description: String {
        switch location {
        case .file(let path): path
        case .standardInput: "standard input"
        }
    }

    /// Whether the path names an open descriptor, such as `/dev/fd/63` of a shell's `<(…)`: it says nothing about the
    /// form.
    var isDescriptor: Bool {
        guard case .file(let path) = location else { return true }
        return path.wholeMatch(of: /\/dev\/stdin|\/dev\/fd\/[0-9]+|\/proc\/(self|[0-9]+)\/fd\/[0-9]+/) != nil
    }
}

/// The three forms of a manifest.
enum ManifestFormat: Sendable, Equatable {
    case json, jsonLines, csv

    /// The form by a file's extension, before one of `.gz`: `.jsonl`, `.ndjson` and `.csv` in any case, else JSON.
    init(path: String) {
        let ending = path.split(separator: "/").last.map { fileNameParts(unpackedFileName(String($0))).ending } ?? ""
        switch ending.lowercased() {
        case ".jsonl", ".ndjson": self = .jsonLines
        case ".csv": self = .csv
        default: self = .json
        }
    }
}

/// A file's name, split at its last dot; a leading dot starts no ending.
func fileNameParts(_ name: String) -> (base: String, ending: String) {
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return (name, "") }
    return (String(name[..<dot]), String(name[dot...]))
}

/// The name without an ending of `.gz`: the file is read as what it holds.
func unpackedFileName(_ name: String) -> String {
    let parts = fileNameParts(name)
    return parts.ending.lowercased() == ".gz" ? parts.base : name
}
