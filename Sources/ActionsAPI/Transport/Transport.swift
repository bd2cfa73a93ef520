import Foundation
import JSONText

/// Sends one request and returns its whole answer: the one thing that the exporter needs of HTTP.
package protocol Transport: Sendable {
    /// - Parameter onHead: gets the answer without its body, which may be long in coming, as soon as its head is there.
    /// - Throws: `TransportError` when no complete answer came, and `CancellationError` when the task was cancelled.
    func send(_ request: APIRequest, onHead: @escaping @Sendable (APIResponse) -> Void) async throws -> APIResponse
}

extension Transport {
    package func send(_ request: APIRequest) async throws -> APIResponse { try await send(request) { _ in } }
}

package struct APIRequest: Sendable, Equatable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    package var method: Method
    /// Absolute path below the API's address, made by this module alone: nothing from a manifest but parsed UUIDs
    /// ever becomes part of it.
    package var path: String
    package var headers: [(name: String, value: String)] = []
    /// Of a POST.
    package var body: [UInt8]?

    package static func == (a: APIRequest, b: APIRequest) -> Bool {
        a.method == b.method && a.path == b.path && a.body == b.body
            && a.headers.elementsEqual(b.headers) { $0.name == $1.name && $0.value == $1.value }
    }
}

package struct APIResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// Why the body is not what the server meant to send: for people, behind "a body that".
    package var flaw: String?
    /// How often the request had left before, on connections that failed under it.
    package var resent = 0
    /// Holds the body's room in the memory budget for as long as anyone keeps it.
    package var lease: BodyLease?

    package init(
        status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = [], lease: BodyLease? = nil
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
        if header("Content-Type")?.lowercased().hasPrefix("text/html") == true { return true }
        return body.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) } == UInt8(ascii: "<")
    }

    /// Its status for people, and of a redirect the host it leads to, which is not followed.
    package var statusText: String {
        guard (300..<400).contains(status), let location = header("Location") else { return "\(status)" }
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

    /// The first field of that name, whatever its case.
    package func header(_ name: String) -> String? {
        let name = name.lowercased()
        return headers.first { $0.name.lowercased() == name }?.value
    }
}

/// A body that is not JSON, with the reason for people.
struct NoJSON: Error {
    var reason: String
}

/// Why no complete answer came. What it means for a further try is `RetryPolicy`'s to say.
package struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// No connection was had: the request surely never left. Of a POST `Departure` knows it.
        case notConnected
        /// The connection broke after the request may have left.
        case connectionLost
        case timedOut
        case bodyTooLarge
    }

    package var kind: Kind
    /// For people: what happened, without address, token or body.
    package var reason: String
    /// The head of an answer had come: the server responded.
    package var answerBegan: Bool
    /// How often the request had left before the last time, on connections that failed under it.
    package var resent = 0

    package init(_ kind: Kind, _ reason: String, answerBegan: Bool = false) {
        self.kind = kind
        self.reason = reason
        self.answerBegan = answerBegan
    }

    package var description: String { reason }

    package var failure: RetryPolicy.Failure {
        switch kind {
        case .notConnected: .notConnected
        case .connectionLost: .connectionLost
        case .timedOut: .timedOut
        case .bodyTooLarge: .bodyTooLarge
        }
    }
}
