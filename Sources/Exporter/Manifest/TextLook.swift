/// What a text looks like by its start, regardless of its file name.
enum TextLook: Equatable {
    /// Nothing but blanks.
    case empty
    /// A JSON object that begins with a key of a manifest, of a run, or with another.
    case manifest, run, object
    /// A run in JSON that goes on in the next line.
    case spreadRun
    /// A JSON array, which holds objects or something else.
    case array(ofObjects: Bool)
    /// A line that names columns of a run, with this between them.
    case csv(separator: Character)
    /// Excel's `sep=;`.
    case separatorLine
    case other

    /// - Parameter start: the first bytes, 4 KiB unless the text is shorter; without a byte order mark.
    init(_ start: [UInt8]) {
        let text = start.drop(while: isBlank)
        guard let first = text.first else {
            self = .empty
            return
        }
        switch first {
        case UInt8(ascii: "{"): self = Self.object(text)
        case UInt8(ascii: "["):
            self = .array(ofObjects: text.dropFirst().drop(while: isBlank).first == UInt8(ascii: "{"))
        default: self = Self.table(text)
        }
    }

    private static func object(_ text: ArraySlice<UInt8>) -> TextLook {
        let quote = UInt8(ascii: "\"")
        let key = text.dropFirst().drop { $0 != quote }
        let name = String(decoding: key.dropFirst().prefix { $0 != quote }, as: UTF8.self)
        if ManifestKeys.top.contains(name) { return .manifest }
        guard ManifestKeys.run.contains(name) else { return .object }
        let firstLine = text.prefix { $0 != 0x0A }
        let goesOn = firstLine.endIndex <= key.startIndex || firstLine.last { !isBlank($0) } == UInt8(ascii: ",")
        return firstLine.endIndex < text.endIndex && goesOn ? .spreadRun : .run
    }

    private static func table(_ text: ArraySlice<UInt8>) -> TextLook {
        let line = String(decoding: text.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
        if line.drop(while: { $0 == "\"" }).lowercased().hasPrefix("sep=") { return .separatorLine }
        let separators: [Character] = [",", ";", "\t", "|"]
        let counts = separators.map { separator in
            let names = line.split { $0 == separator }
                .map { $0.filter { $0 != "\"" }.withoutInvisible.lowercased() }
            return (separator: separator, columns: names.count(where: ManifestKeys.run.contains))
        }
        let best = counts.reduce((separator: ",", columns: 0)) { $0.columns >= $1.columns ? $0 : $1 }
        return best.columns > 0 ? .csv(separator: best.separator) : .other
    }
}

private func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
}

extension ManifestFormat {
    /// The form by the start of a text, for input without a file name.
    init(startOfText bytes: [UInt8]) {
        switch TextLook(bytes) {
        case .run, .spreadRun: self = .jsonLines
        // An array and an empty text are reported by the reader of JSON.
        case .manifest, .object, .array, .empty: self = .json
        case .csv, .separatorLine, .other: self = .csv
        }
    }

    /// What is wrong with a text that looks otherwise than this form, with its place; nil if it may be read.
    func fault(of look: TextLook) -> (place: String, message: String)? {
        let firstLine = ManifestPlace.line(1).text()
        switch (self, look) {
        case (.json, .csv), (.json, .separatorLine), (.jsonLines, .csv), (.jsonLines, .separatorLine):
            return ("", "holds CSV: give the file the ending .csv")
        case (.json, .run), (.csv, .run):
            return ("", "holds one run a line (JSON Lines): give the file the ending .jsonl")
        case (.json, .spreadRun):
            return ("", "holds a run, not a manifest: write {\"version\": 1, \"runs\": [...]} around it")
        case (.jsonLines, .manifest), (.csv, .manifest), (.csv, .object):
            return ("", "holds a JSON manifest: give the file the ending .json")
        case (.csv, .array), (.csv, .spreadRun), (.jsonLines, .array(ofObjects: true)):
            return (firstLine, "holds JSON of another form: write one run a line, or {\"version\": 1, \"runs\": [...]}")
        case (.jsonLines, .spreadRun):
            return (firstLine, "the run goes on in the next line: write each run on one line")
        case (.csv, .csv(separator: let separator)) where separator != ",":
            let name = [";": "semicolons", "\t": "tabs"][separator] ?? "vertical bars"
            return (firstLine, "\(name) separate the columns: write commas in their place")
        case (.csv, .separatorLine):
            return (firstLine, "a sep= line is for Excel alone: remove it, and separate the columns by commas")
        default: return nil
        }
    }
}
