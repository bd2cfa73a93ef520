import HTTPTypes

/// A bearer token. Its description and its mirror say only what it is, so that no log line and no error message
/// can show it.
package struct AccessToken: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    private let value: String

    /// - Returns: nil if the text cannot be a header's value: empty, or with characters other than visible ASCII.
    package init?(_ text: String) {
        guard text.isVisibleASCII else { return nil }
        value = text
    }

    /// The text without the token: an API, or a proxy before it, may quote what it was sent.
    ///
    /// Compared by bytes: for String's own search, a combining accent behind the token changes its last letter.
    package func redacted(_ text: String) -> String {
        occurs(in: text) ? String(decoding: redacted(Array(text.utf8)), as: UTF8.self) : text
    }

    package func redacted(_ bytes: [UInt8]) -> [UInt8] { Spelling(value).replaced(in: bytes, by: "[token]") }

    func occurs(in text: String) -> Bool {
        // No spelling is shorter than the token.
        guard text.utf8.count >= value.utf8.count else { return false }
        var text = text
        return text.withUTF8 { Spelling(value).occurs(in: UnsafeRawBufferPointer($0)) }
    }

    package var authorization: HTTPField { HTTPField(name: .authorization, value: "Bearer \(value)") }

    package var description: String { "AccessToken" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension String {
    /// One word or more of what can be seen, without spaces.
    var isVisibleASCII: Bool { !isEmpty && utf8.allSatisfy { (0x21...0x7e).contains($0) } }
}
