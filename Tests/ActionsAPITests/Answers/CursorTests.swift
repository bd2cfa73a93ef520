import Foundation
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("Cursors of next pages")
struct CursorTests {
    private func result(_ nextPage: String) throws -> RunResult { try result(Array(nextPage.utf8)) }

    private func result(_ nextPage: [UInt8]) throws -> RunResult {
        let body = Array(#"{"status": "success", "errors": [], "next_page": "#.utf8) + nextPage + [UInt8(ascii: "}")]
        guard case .finished(_, let result) = RunAnswer(APIResponse(status: 200, body: body), runID: UUID()) else {
            throw NoResult()
        }
        return result
    }

    private struct NoResult: Error {}

    @Test(
        "Strings and integers are cursors as they stand",
        arguments: [
            (#""1""#, "1"), ("1", "1"), ("-7", "-7"), ("12345678901234567890", "12345678901234567890"),
            (#""https://x/?a=\u00e9&b""#, "https://x/?a=é&b"), (#""\ud83e\udd89""#, "🦉"), (#""\ufffd""#, "\u{FFFD}"),
            (#""\#u{FFFD}""#, "\u{FFFD}"),
        ])
    func cursors(json: String, cursor: String) throws {
        let result = try result(json)
        #expect(result.nextPage == cursor)
        #expect(result.cursorFault == nil)
    }

    @Test("Null and an empty string are the end", arguments: ["null", #""""#])
    func ends(json: String) throws {
        let result = try result(json)
        #expect(result.nextPage == nil)
        #expect(result.cursorFault == nil)
    }

    @Test(
        "What is neither, or cannot be sent back as it came, is a cursor with a fault",
        arguments: [
            "true", "false", "1.5", "1e3", "{}", "[1]", #""a\u0000b""#, #""\ud800""#, #""\udc00x""#,
            #""\ufffd\ud800""#,
        ])
    func faults(json: String) throws {
        let result = try result(json)
        #expect(result.nextPage != nil)
        #expect(result.cursorFault != nil)
    }

    @Test(
        "A cursor with broken UTF-8 is one with a fault, also beside a U+FFFD that was written",
        arguments: [[0xFF], [0xC3], [0xE2, 0x82], [0xEF, 0xBF, 0xBD, 0xED, 0xA0, 0x80]] as [[UInt8]])
    func brokenUTF8(bytes: [UInt8]) throws {
        let result = try result([UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")])
        #expect(result.nextPage?.unicodeScalars.contains("\u{FFFD}") == true)
        #expect(result.cursorFault?.contains("bytes that are not UTF-8") == true)
    }
}
