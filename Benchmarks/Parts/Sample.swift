import ActionsAPI
import Foundation

/// What the parts work on: the same in every call.
enum Sample {
    static let runID = id(0)
    static let body = LargeBody(objects: 5_000)
    static let response = APIResponse(status: 200, body: body.bytes)

    /// In the form in which the network library hands them over.
    static let receivedHeaders: [(name: String, value: String)] = [
        ("Content-Type", "application/json"), ("Date", "Fri, 20 Nov 2026 09:30:00 GMT"),
        ("X-RateLimit-Limit", "600"), ("X-RateLimit-Remaining", "431"), ("X-RateLimit-Reset", "1795166700"),
        ("Content-Length", "1705"),
    ]
    static let receivedAt = Date(timeIntervalSince1970: 1_795_166_640)

    static func id(_ number: Int) -> UUID {
        // A multiplier that spreads them, as random IDs are.
        let bits = UInt64(number &+ 1) &* 0x9E37_79B9_7F4A_7C15
        let digits = String(bits, radix: 16)
        let padded = String(repeating: "0", count: 16 - digits.count) + digits
        return UUID(uuidString: "\(padded.prefix(8))-\(padded.dropFirst(8).prefix(4))-4000-8000-\(padded.suffix(12))")!
    }

    static func body(objects: Int) -> [UInt8] {
        let start =
            #"{"id":882890590,"name":"Zoë Knuth","email":"knuth.235@example.com","stage":"open","value":30048.55,"#
            + #""active":false,"parent":null,"created_at":"2026-11-10T14:30:00Z","tags":["qualified","asked"],"#
            + #""owner":{"id":784,"team":"won"},"note":"say \"hello\" "#
        let object = start + String(repeating: "x", count: 298 - start.utf8.count) + #""}"#
        let results = repeatElement(object, count: objects).joined(separator: ",")
        return Array(
            #"{"type":"run","id":"\#(runID)","status":"success","results":[\#(results)],"next_page":null,"errors":[]}"#
                .utf8)
    }

    static func manifest(runs: Int) -> String {
        let lines = (0..<runs).map { number in
            """
            {"stored_action_id": "\(id(number % 10))", "run_id": "\(id(number))", "executed_at": "2026-11-20T09:30:00Z"}
            """
        }
        return #"{"version": 1, "name": "parts", "runs": [\#(lines.joined(separator: ",\n"))]}"#
    }
}

/// The body of a large answer, of 300 bytes an object, and room to copy it to.
struct LargeBody: @unchecked Sendable {  // One thread measures at a time.
    let bytes: [UInt8]
    private let room: UnsafeMutableRawBufferPointer

    init(objects: Int) {
        bytes = Sample.body(objects: objects)
        room = .allocate(byteCount: bytes.count, alignment: 64)
    }

    /// - Returns: a byte of the copy.
    func copy() -> Int {
        bytes.withUnsafeBytes { room.copyMemory(from: $0) }
        return Int(room[bytes.count / 2])
    }
}
