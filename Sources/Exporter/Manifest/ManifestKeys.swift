/// The keys of a manifest.
enum ManifestKeys {
    static let top = ["version", "name", "stored_actions", "runs"]
    /// The keys of a stored action, and of a run, where they win.
    static let settings = ["label", "follow_pages", "inputs", "action_type", "max_pages", "first_page"]
    static let run = ["stored_action_id", "run_id", "run_ids", "executed_at"] + settings
    /// The columns of a CSV manifest: a run's keys but `run_ids`.
    static let csvColumns = ["stored_action_id", "run_id", "executed_at"] + settings
}

/// The message about a key or column that is not known, with the known one that was probably meant.
func unknownKeyMessage(_ key: String, noun: String, known: [String]) -> String {
    let bare = key.withoutInvisible
    let nearest = known.map { (key: $0, distance: editDistance($0, bare)) }.min { $0.distance < $1.distance }
    if let nearest, nearest.distance <= 2 { return "unknown \(noun): did you mean \"\(nearest.key)\"?" }
    return "unknown \(noun): remove it; known here are \(known.joined(separator: ", "))"
}

/// The Levenshtein distance: how many bytes to insert, remove or replace. Names of very different length count as far.
func editDistance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    guard abs(left.count - right.count) <= 2 else { return Int.max }
    var previous = Array(0...right.count)
    for (row, byte) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            current.append(
                min(previous[column + 1] + 1, current[column] + 1, previous[column] + (byte == other ? 0 : 1)))
        }
        previous = current
    }
    return previous[right.count]
}

/// A text of the manifest, fit for a message: in quotes, short, on one line.
func quoted(_ text: String) -> String {
    "\"\(shortened(text, to: 60))\""
}

/// A value that is none of those wanted, so that it can be recognized; it may be anything, a token or inputs in the
/// wrong place included. So it is quoted only if it is short, or nothing but digits and what dates are made of.
func glimpse(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let bare = text.withoutInvisible
    // What a character that cannot be seen spoils is looked for with the eyes, so it is shown whole; many of them are
    // not.
    let isKnown = parseUUID(bare) != nil || ManifestKeys.run.contains(bare) || ManifestKeys.top.contains(bare)
    let isPlain = isKnown || bare.unicodeScalars.allSatisfy("0123456789-:.+TZ ".unicodeScalars.contains)
    if scalars.count <= 8 || isPlain && scalars.count <= bare.unicodeScalars.count + 8 { return quoted(text) }
    return "\(quoted(String(scalars.prefix(4)) + "…")) of \(scalars.count) characters"
}

/// The text with escapes for what cannot be seen, and without what is beyond `limit` characters.
func shortened(_ text: String, to limit: Int) -> String {
    guard text.unicodeScalars.count > limit else { return text.withInvisibleEscaped }
    return (String(text.unicodeScalars.prefix(limit)) + "…").withInvisibleEscaped
}

/// What to do about a value that would be right without the characters in it that cannot be seen.
let invisibleMessage = "holds characters that cannot be seen, here written as escapes: remove them"

func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .control
}
