import Foundation

/// A bearer token. Its description and its mirror tell only that it is one, so that no log line and no error message
/// can show it.
package struct AccessToken: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    private let value: String

    /// - Returns: nil if the text could not stand in a header: empty, or with characters other than visible ASCII.
    package init?(_ text: String) {
        guard text.isVisibleASCII else { return nil }
        value = text
    }

    /// The text without the token: an API, or a proxy before it, may quote what it was sent.
    ///
    /// Found by its bytes: to a String's own search an accent behind the token makes its last letter another one.
    func redacted(_ text: String) -> String {
        String(decoding: Array(text.utf8).replacing(Array(value.utf8), with: "[token]".utf8), as: UTF8.self)
    }

    func redacted(_ bytes: [UInt8]) -> [UInt8] {
        stands(in: bytes) ? bytes.replacing(Array(value.utf8), with: "[token]".utf8) : bytes
    }

    func stands(in bytes: some Collection<UInt8>) -> Bool {
        let token = Array(value.utf8)
        return bytes.withContiguousStorageIfAvailable { Self.contains($0, token) } ?? bytes.contains(token)
    }

    /// A body may be large, and the standard library's search is not made for that.
    private static func contains(_ bytes: UnsafeBufferPointer<UInt8>, _ token: [UInt8]) -> Bool {
        guard var start = bytes.baseAddress else { return false }
        let end = start + bytes.count
        while end - start >= token.count,
            let found = memchr(start, Int32(token[0]), end - start - token.count + 1)
        {
            if memcmp(found, token, token.count) == 0 { return true }
            start = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) + 1
        }
        return false
    }

    var authorization: (name: String, value: String) { ("Authorization", "Bearer \(value)") }

    package var description: String { "AccessToken" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension String {
    /// One word or more of what can be seen, without spaces.
    var isVisibleASCII: Bool { !isEmpty && utf8.allSatisfy { (0x21...0x7e).contains($0) } }
}
