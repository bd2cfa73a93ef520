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

    /// The place itself, or that of a key within it.
    func text(_ key: String? = nil) -> String {
        let key = key.map { shortened($0, to: 60) }
        switch self {
        case .top(let own): return [own, key].compactMap(\.self).joined(separator: ".")
        case .storedAction(let id):
            return ["stored_actions", shortened(id, to: 60), key].compactMap(\.self).joined(separator: ".")
        case .element(let index): return ["runs[\(index)]", key].compactMap(\.self).joined(separator: ".")
        case .line(let line): return ["line \(line)", key].compactMap(\.self).joined(separator: ": ")
        }
    }
}
