import JSONText

/// A JSON value as the tables hold it: `jsonb`, and beside it the value's own bytes where `jsonb` cannot hold it
/// exactly.
struct StoredJSON {
    /// Exact, or as near as `jsonb` comes to the value; nil if it does not.
    var json: ArraySlice<UInt8>?
    /// nil if `json` is exact.
    var raw: ArraySlice<UInt8>?
    /// What `json` changes against `raw`, and where.
    var notes: [String]?
}

extension StoredJSON {
    init(_ value: JSONValue) {
        switch value.jsonbForm() {
        case .exact: self.init(json: value.bytes)
        case .nearest(let nearest, let notes): self.init(json: nearest[...], raw: value.bytes, notes: notes)
        case .none(let notes): self.init(raw: value.bytes, notes: notes)
        }
    }

    /// - Parameter text: a JSON text.
    init(text: [UInt8]) {
        if let value = try? JSONValue(validating: text, allowingBrokenUTF8: true) {
            self.init(value)
        } else {
            self.init(raw: text[...])
        }
    }
}
