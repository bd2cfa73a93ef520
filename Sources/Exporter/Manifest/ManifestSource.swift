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
}

/// The three forms of a manifest.
enum ManifestFormat: Sendable, Equatable {
    case json, jsonLines, csv

    /// The form that a file's ending tells: `.jsonl`, `.ndjson` and `.csv` in any case, else JSON.
    init(path: String) {
        let ending = path.split(separator: "/").last.map { fileNameParts(String($0)).ending } ?? ""
        switch ending.lowercased() {
        case ".jsonl", ".ndjson": self = .jsonLines
        case ".csv": self = .csv
        default: self = .json
        }
    }

    /// The form that the start of a text shows, for standard input, which has no ending.
    init(startOfText bytes: [UInt8]) {
        let start = bytes.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
        switch start.first {
        case UInt8(ascii: "{"):
            let key = start.dropFirst().drop { $0 != UInt8(ascii: "\"") }.dropFirst().prefix {
                $0 != UInt8(ascii: "\"")
            }
            let keysOfLines = ManifestKeys.csvColumns + ["run_ids"]
            self = keysOfLines.contains(String(decoding: key, as: UTF8.self)) ? .jsonLines : .json
        // No header of a CSV starts with a bracket, and an empty text is told as such by the reader of JSON.
        case UInt8(ascii: "["), nil: self = .json
        default: self = .csv
        }
    }
}

/// A file's name, split at its last dot; a leading dot starts no ending.
func fileNameParts(_ name: String) -> (base: String, ending: String) {
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return (name, "") }
    return (String(name[..<dot]), String(name[dot...]))
}
