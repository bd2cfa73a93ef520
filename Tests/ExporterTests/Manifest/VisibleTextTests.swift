import Testing

@testable import ExportCore
@testable import Exporter

@Suite("What may be shown of a text")
struct VisibleTextTests {
    @Test(
        "What could move a cursor, begin a line or turn the order of writing becomes an escape",
        arguments: [
            ("\u{1B}[2J", #"\u{1B}[2J"#), ("a\nb\r\nc", #"a\nb\r\nc"#), ("a\tb\u{8}\u{7F}", #"a\tb\u{8}\u{7F}"#),
            ("\u{9B}31m\u{85}", #"\u{9B}31m\u{85}"#), ("a\u{202E}b\u{2066}c\u{200F}", #"a\u{202E}b\u{2066}c\u{200F}"#),
            ("a\u{2028}b\u{2029}", #"a\u{2028}b\u{2029}"#), ("\0", #"\u{0}"#),
        ])
    func escapes(text: String, shown: String) {
        #expect(text.shownOnOneLine == shown)
        #expect(text.shownOnItsLines == shown.replacing(#"\n"#, with: "\n"))
    }

    @Test(
        "Everything else stays as it is",
        arguments: ["", "plain", "é 東京 עברית", "👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "C:\\new \"x\"", "a\u{200B}b\u{A0}c"])
    func plain(text: String) {
        #expect(text.shownOnOneLine == text)
    }
}
