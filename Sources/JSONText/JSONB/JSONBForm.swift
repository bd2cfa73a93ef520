/// What PostgreSQL's `jsonb` can hold of a value.
package enum JSONBForm: Sendable, Equatable {
    /// The same value, with every digit of every number: PostgreSQL takes the very bytes. Key order, white space and
    /// the spelling of escapes and exponents are given up.
    case exact
    /// What comes nearest, a value that is itself exact; the notes say what was changed.
    ///
    /// - U+FFFD replaces `\u0000`, each lone surrogate and for each byte that is not UTF-8, in keys too.
    /// - Of members with the same key, as it is now, the last one is kept.
    /// - A number that `numeric` cannot hold is a string of its spelling.
    ///
    /// A note is one line for people, `/orders/0/name: \u0000 became U+FFFD`: a JSON Pointer (RFC 6901) into the
    /// nearest form, in which control characters are spelt `\u000a` and whose end may be cut off with `…`; the value
    /// itself is `(the whole value)`. At most 100 of them, in the order of the text, then `… and 7 more`.
    case nearest([UInt8], notes: [String])
    /// Nothing: too deep or too large, as the notes say; or over 1 MiB and, with U+FFFD for each broken byte, over
    /// 1.5 times as large.
    case none(notes: [String])
}

extension JSONValue {
    package func jsonbForm() -> JSONBForm {
        let fitsInSize = range.count <= JSONBLimits.bytes
        if fitsInSize, isKnownToBeExact { return .exact }
        return text.bytes.withUnsafeBytes { text in
            if fitsInSize, isExactInJSONB(text, in: range) { return .exact }
            let depth = JSONWalker(text).depth(ofValueIn: range)
            guard fitsInSize, depth <= JSONBLimits.depth else {
                return .none(notes: JSONBLimits.notes(onDepth: depth, bytes: range.count))
            }
            var rewriting = NearestForm(of: text, in: range)
            guard let nearest = rewriting.render() else {
                return .none(notes: [JSONBLimits.noteOnGrowth])
            }
            guard nearest.count <= JSONBLimits.bytes else {
                return .none(notes: [JSONBLimits.note(onBytes: nearest.count, of: "the nearest form")])
            }
            return .nearest(nearest, notes: rewriting.notes.lines)
        }
    }
}

/// No string is damaged, every number fits, no object has duplicate keys, nothing is too deep. One pass that
/// allocates for nothing but what is open.
private func isExactInJSONB(_ text: UnsafeRawBufferPointer, in range: Range<Int>) -> Bool {
    var tokens = JSONTokens(text, in: range)
    var keys = OpenKeys(of: text)
    while let token = tokens.next() {
        switch token {
        case .string(_, let traits):
            if traits.contains(.isDamaged) { return false }
        case .key(let key, let traits):
            if traits.contains(.isDamaged) { return false }
            keys.append(key, isEncoded: traits.contains(.isEncoded))
        case .number(let number):
            if !fitsNumeric(UnsafeRawBufferPointer(rebasing: text[number])) { return false }
        case .open(let isObject):
            if tokens.depth > JSONBLimits.depth { return false }
            if isObject { keys.openObject() }
        case .close(isObject: true):
            if keys.hasDuplicates() { return false }
            keys.closeObject()
        case .close, .word: break
        }
    }
    return true
}
