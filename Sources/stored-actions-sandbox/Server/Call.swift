import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore

/// A request, read whole.
struct Call: Sendable {
    let method: String
    /// Without the query.
    let path: String
    let route: Route
    let authorization: String?
    let acceptsGzip: Bool
    let body: [UInt8]

    /// Reads the body, up to 8 MiB of it.
    init(_ request: Request) async throws {
        var request = request
        method = request.method.rawValue
        path = request.uri.path
        route = Route(method: method, path: path)
        authorization = request.headers[.authorization]
        acceptsGzip = request.headers[.acceptEncoding]?.lowercased().contains("gzip") ?? false
        body = try await Array(request.collectBody(upTo: 8 << 20).readableBytesView)
    }

    var bearerToken: String? { credentials(scheme: "bearer") }

    /// What `Authorization: Basic` holds.
    var basicCredentials: (id: String, secret: String)? {
        guard let encoded = credentials(scheme: "basic"), let data = Data(base64Encoded: encoded),
            let text = String(data: data, encoding: .utf8), let colon = text.firstIndex(of: ":")
        else { return nil }
        // RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        return (Self.formDecoded(text[..<colon]), Self.formDecoded(text[text.index(after: colon)...]))
    }

    /// The body as `application/x-www-form-urlencoded`; of a duplicate name, the first value.
    var form: [String: String] {
        let pairs = String(decoding: body, as: UTF8.self).split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.formDecoded(parts[0]), parts.count > 1 ? Self.formDecoded(parts[1]) : "")
        }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    private func credentials(scheme: String) -> String? {
        guard let parts = authorization?.split(separator: " ", maxSplits: 1), parts.count == 2,
            parts[0].lowercased() == scheme
        else { return nil }
        return String(parts[1])
    }

    private static func formDecoded(_ text: some StringProtocol) -> String {
        let spaced = text.replacingOccurrences(of: "+", with: " ")
        return spaced.removingPercentEncoding ?? spaced
    }
}
