import Foundation

/// A token or a secret as a variable or a file holds it: one word, and by mistake what people put there besides.
/// Nothing of it is ever quoted.
enum SecretText {
    enum Kind {
        /// Sent as it is in a header, so it is of visible ASCII (RFC 6750).
        case accessToken
        /// A refresh token, a client's ID or secret.
        case secret
    }

    /// Bytes of the longest token that servers take in a header.
    static let limit = 16_384

    /// The contents of a file that holds a secret.
    ///
    /// - Throws: `CocoaError`.
    static func read(_ path: String) throws -> String {
        let file = try FileHandle(forReadingFrom: URL(filePath: path))
        defer { try? file.close() }
        let bytes = try file.read(upToCount: limit + 1) ?? Data()
        guard bytes.count <= limit else { throw CocoaError(.fileReadTooLarge) }
        guard let text = String(data: bytes, encoding: .utf8) else {
            throw CocoaError(.fileReadInapplicableStringEncoding)
        }
        return text
    }

    /// - Parameter place: where the text is, as messages name it.
    /// - Returns: the word, without white space around it.
    /// - Throws: `SettingError` that names the mistake.
    @discardableResult
    static func check(_ text: String, _ place: String, _ kind: Kind) throws -> String {
        let word = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let mistake = mistake(in: word, kind) else { return word }
        throw SettingError("\(place) \(mistake)")
    }

    private static func mistake(in word: String, _ kind: Kind) -> String? {
        if word.isEmpty { return "is empty" }
        if word.utf8.count > limit { return "holds more than 16 KB: no token is so long" }
        if word.unicodeScalars.first == "\u{FEFF}" {
            return "begins with a byte order mark: save it as plain text without one"
        }
        if word.firstMatch(of: #/^(export\s+)?[A-Za-z0-9_]*(?i:token|secret|client_id|key)[A-Za-z0-9_]*\s*=\s*[^=\s]/#)
            != nil
            || word.firstMatch(of: #/^(export\s+)?[A-Z][A-Z0-9]*_[A-Z0-9_]*=[^=]/#) != nil
        {
            return "holds a line of the form NAME=value: keep what follows the ="
        }
        if word.firstMatch(of: #/^(?i:authorization\s*:)?\s*(?i:bearer)\b[\s:]/#) != nil {
            return "begins with Bearer, which this program adds: keep what follows it"
        }
        if word.first == "{", word.contains("\"") {
            return "holds JSON: keep the token alone, without its quotation marks"
        }
        if word.contains(where: \.isNewline) { return "holds several lines, and \(kind.name) is one" }
        if word.count > 1, let mark = word.first, mark == word.last, quotationMarks.contains(mark) {
            return "has quotation marks around it: take them off"
        }
        if let scalar = word.unicodeScalars.first(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return "holds a control character (\(scalar.value)): it is not plain text"
        }
        return kind == .accessToken ? mistake(inAccessToken: word) : nil
    }

    private static func mistake(inAccessToken word: String) -> String? {
        if let mark = word.first, quotationMarks.contains(mark) { return "begins with a quotation mark" }
        if let mark = word.last, quotationMarks.contains(mark) { return "ends in a quotation mark" }
        if word.first == "$" { return "holds the name of a variable that was not put in place" }
        if word.contains(where: \.isWhitespace) { return "holds a space, and an access token has none" }
        if !word.unicodeScalars.allSatisfy(\.isASCII) {
            return "holds a letter outside ASCII, and an access token has none"
        }
        return nil
    }

    private static let quotationMarks: Set<Character> = [
        "\"", "'", "`", "\u{201C}", "\u{201D}", "\u{2018}", "\u{2019}",
    ]
}

extension SecretText.Kind {
    fileprivate var name: String { self == .accessToken ? "an access token" : "a secret" }
}
