import Foundation
import HTTPTypes
import JSONText

package struct APIResponse: Sendable {
    package var status: Int
    package var headers: HTTPFields
    package var body: [UInt8]
    /// Why the body is not what the server meant to send: for people, behind "a body that".
    package var flaw: String?
    /// How often the request had left before, on connections that failed under it.
    package var resent = 0
    /// Holds the body's room in the memory budget for as long as anyone keeps it.
    package var lease: BodyLease?

    package init(
        status: Int, headers: HTTPFields = [:], body: [UInt8] = [], lease: BodyLease? = nil
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.lease = lease
    }

    /// The body is JSON: not a page of a proxy's.
    package var isJSON: Bool { (try? json()) != nil }

    /// The body is a page for people, which the API never sends.
    package var isHTML: Bool {
        if headers.firstValue(of: .contentType)?.lowercased().hasPrefix("text/html") == true { return true }
        return body.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) } == UInt8(ascii: "<")
    }

    /// Its status for people, and of a redirect the host it leads to, which is not followed.
    package var statusText: String {
        guard (300..<400).contains(status), let location = headers.firstValue(of: .location) else { return "\(status)" }
        return "\(status), a redirect to \(Self.host(of: location) ?? "another address"), which is not followed"
    }

    /// - Returns: nil if the address is not one, or its host holds what does not belong there.
    private static func host(of location: String) -> String? {
        guard let url = URLComponents(string: location) else { return nil }
        guard let host = url.host, !host.isEmpty else { return url.scheme == nil ? "the same host" : nil }
        let isPlain = host.utf8.allSatisfy { byte in
            byte < 0x80 && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber)
                || Array("-.:[]_".utf8).contains(byte)
        }
        return isPlain && host.utf8.count <= 253 ? host : nil
    }

    /// The body's value; broken UTF-8 inside its strings is data like any other.
    func json() throws(NoJSON) -> JSONValue {
        if let flaw { throw NoJSON(reason: "a body that \(flaw)") }
        do throws(JSONSyntaxError) {
            return try JSONValue(validating: body, allowingBrokenUTF8: true)
        } catch {
            throw NoJSON(
                reason: body.isEmpty
                    ? "an empty body" : "a body that is not JSON: \(error.reason) at byte \(error.offset)")
        }
    }
}

/// A body that is not JSON, with the reason for people.
struct NoJSON: Error {
    var reason: String
}
