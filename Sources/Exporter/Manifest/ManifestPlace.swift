/// A place in a manifest, as messages name it.
enum ManifestPlace: Sendable, Hashable {
    /// `name`, or the whole text if nil.
    case top(key: String?)
    /// `stored_actions.UUID`.
    case storedAction(String)
    /// `runs[3]`, counted from 0.
    case element(Int)
    /// `line 12`, counted from 1.
    case line(Int)

    /// The line, or the index in `runs`; 0 for other places.
    var index: Int {
        switch self {
        case .element(let index), .line(let index): index
        case .top, .storedAction: 0
        }
    }

    /// The place itself, or that of a key within it.
    func text(_ key: String? = nil) -> String {
        let key = key.map(shown)
        switch self {
        case .top(let own): return [own.map(shown), key].compactMap(\.self).joined(separator: ".")
        case .storedAction(let id):
            return ["stored_actions", shown(id), key].compactMap(\.self).joined(separator: ".")
        case .element(let index): return ["runs[\(index)]", key].compactMap(\.self).joined(separator: ".")
        case .line(let line): return ["line \(line)", key].compactMap(\.self).joined(separator: ": ")
        }
    }

    /// A key as it can appear in a place. What is not a key may be a value in the wrong place, such as the first record
    /// of a CSV without a header.
    private func shown(_ key: String) -> String {
        let isName = key.lowercased().utf8.allSatisfy("abcdefghijklmnopqrstuvwxyz0123456789_-[] ".utf8.contains)
        let isBare = !key.hasPrefix(" ") && !key.hasSuffix(" ")
        return isName && isBare && !key.isEmpty && key.utf8.count <= 24 || parseUUID(key) != nil ? key : glimpse(key)
    }
}
