import ActionsAPI
import ExportCore
import Foundation
import HTTPTypes

/// What the benchmarks work on, made once from a seed.
enum Sample {
    static let runID = UUID(uuidString: "20000000-0000-4000-8000-000100000060")!
    /// Objects of `body`.
    static let objects = 5_000

    /// Of 1.5 MB.
    static let body = Body(objects: objects)
    static let response = APIResponse(status: 200, body: body.bytes)

    /// As AsyncHTTPClient hands them over.
    static let receivedHeaders: [(name: String, value: String)] = [
        ("Content-Type", "application/json"), ("Date", "Fri, 20 Nov 2026 09:30:00 GMT"),
        ("X-RateLimit-Limit", "600"), ("X-RateLimit-Remaining", "431"), ("X-RateLimit-Reset", "1795162260"),
        ("Content-Length", "1705"),
    ]
    static let receivedAt = Date(timeIntervalSince1970: 1_795_162_200)

    struct Body {
        let bytes: [UInt8]
        private let target: UnsafeMutableRawPointer

        init(objects: Int) {
            let object =
                #"{"id":882890590,"name":"Zoë Knuth","email":"knuth.235@example.com","stage":"open","#
                + #""value":30048.55,"active":false,"parent":null,"created_at":"2026-11-10T14:30:00Z","#
                + #""tags":["qualified","asked"],"owner":{"id":784,"team":"won"},"note":"say \"hello\" "#
            let filled = object + String(repeating: "x", count: 298 - object.utf8.count) + #""}"#
            let results = repeatElement(filled, count: objects).joined(separator: ",")
            bytes = Array(
                #"{"type":"run","id":"\#(runID)","status":"success","results":[\#(results)],"next_page":null,"errors":[]}"#
                    .utf8)
            target = .allocate(byteCount: bytes.count, alignment: 64)
        }

        func copy() { bytes.withUnsafeBytes { _ = memcpy(target, $0.baseAddress!, $0.count) } }
    }
}

extension Sample.Body: @unchecked Sendable {}  // Its target is written by one benchmark at a time.
