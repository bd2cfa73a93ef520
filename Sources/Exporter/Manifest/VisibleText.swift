extension Unicode.Scalar {
    /// Whether the character can move a terminal's cursor, begin a line, or turn the order of what is shown: a text of
    /// foreign text could then pass for ours.
    package var isUnsafeToShow: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: properties.isBidiControl
        }
    }

    /// Whether the character leaves nothing to be seen, or only a blank that is not a plain one.
    var isInvisible: Bool {
        isUnsafeToShow || properties.isDefaultIgnorableCodePoint
            || properties.generalCategory == .spaceSeparator && self != " "
    }

    /// `\n`, `\t`, `\u{1B}`.
    fileprivate var escape: String {
        switch self {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: "\\u{\(String(value, radix: 16, uppercase: true))}"
        }
    }
}

extension String {
    /// The text as it can be shown within a line, with escapes for what is unsafe there, line breaks included.
    package var shownOnOneLine: String { escaping(\.isUnsafeToShow) }

    /// The text as it can be shown, with escapes for all that is unsafe but line feeds.
    package var shownOnItsLines: String { escaping { $0.isUnsafeToShow && $0 != "\n" } }

    private func escaping(_ isEscaped: (Unicode.Scalar) -> Bool) -> String {
        guard unicodeScalars.contains(where: isEscaped) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            if isEscaped(scalar) { text += scalar.escape } else { text.unicodeScalars.append(scalar) }
        }
    }

    /// The text with escapes for all that cannot be seen, blanks at either end included.
    var withInvisibleEscaped: String {
        let scalars = Array(unicodeScalars)
        let first = scalars.firstIndex { $0 != " " } ?? scalars.endIndex
        let last = scalars.lastIndex { $0 != " " } ?? scalars.endIndex
        return scalars.enumerated().map { index, scalar in
            index < first || index > last || scalar.isInvisible ? scalar.escape : String(scalar)
        }.joined()
    }

    /// The text without what cannot be seen, blanks at either end included.
    var withoutInvisible: String {
        var rest = unicodeScalars.filter { !$0.isInvisible }[...]
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return rest.reduce(into: "") { $0.unicodeScalars.append($1) }
    }
}
