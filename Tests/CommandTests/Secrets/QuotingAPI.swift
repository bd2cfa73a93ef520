import Foundation
import Synchronization

/// An Actions API, a token endpoint and a proxy that say in every answer what they were sent: the `Authorization` header,
/// also in plain where it is Base64, and of a POST the body.
///
/// How it answers is the first part of the path, so that `ZAPIER_API_URL` and `ZAPIER_TOKEN_URL` choose it, or the
/// proxy's user.
final class QuotingAPI: Sendable {
    enum Manner: String, Sendable {
        /// Each run as its scenario has it; further pages are refused.
        case each
        /// The token is bad, said with 401, or with 403 `authentication_failed`.
        case unauthorized, unauthenticated
        /// 403 `permission_denied`, or 404.
        case denied, missing
        /// The token is good for reading alone: 401 to requests for pages.
        case readOnly
        /// 500 as HTML, a redirect, no HTTP at all, and no answer.
        case html, redirect, garbage, silence
        /// A firewall's page, with 403 to GETs and 401 to POSTs.
        case firewall
        /// Tokens for whoever asks.
        case tokens
        /// OAuth errors that quote all, and whose code is the secret as it was sent in the header, or in the form.
        case wrongGrant, wrongBasic, wrongForm
        /// A proxy that wants another password.
        case wrongProxy
    }

    private let port: UInt16
    private let listener: Int32
    private let state = Mutex<(requests: Int, open: [Int32])>((0, []))

    static func with<R>(_ body: (QuotingAPI) async throws -> R) async throws -> R {
        let api = try QuotingAPI()
        defer { api.close() }
        return try await body(api)
    }

    private init() throws {
        (listener, port) = try Proxy.listen(on: 0)
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                state.withLock { $0.open.append(client) }
                Thread.detachNewThread { [self] in serve(client) }
            }
        }
    }

    func address(_ manner: Manner) -> String { "http://\(host)/\(manner)" }

    var host: String { "127.0.0.1:\(port)" }

    /// How many requests have come.
    var requests: Int { state.withLock(\.requests) }

    /// Sockets stay open until here, so that no number is used twice.
    private func close() {
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
        let open = state.withLock { state in
            defer { state.open = [] }
            return state.open
        }
        for socket in open {
            shutdown(socket, Int32(SHUT_RDWR))
            Glibc.close(socket)
        }
    }

    private func serve(_ client: Int32) {
        var requests = Proxy.Requests(.http)
        while let bytes = Proxy.receive(from: client) {
            requests.append(bytes)
            guard let request = requests.next() else { continue }
            state.withLock { $0.requests += 1 }
            if let answer = answer(to: Call(request.bytes)) {
                _ = Proxy.send(Array(answer.utf8), to: client)
            } else {
                return
            }
            break
        }
        shutdown(client, Int32(SHUT_RDWR))
    }

    /// One request, and what it said.
    private struct Call {
        let manner: Manner?
        let path: String
        let isPost: Bool
        /// The `Authorization` header's value, and the body if there is one.
        let said: String
        /// What stands behind `Basic`, and the last field of a form.
        let basic: String?
        let lastField: String

        init(_ bytes: [UInt8]) {
            let text = String(decoding: bytes, as: UTF8.self)
            let lines = text.components(separatedBy: "\r\n")
            let words = lines[0].split(separator: " ")
            isPost = words.first == "POST"
            path = words.count > 1 ? String(words[1]) : ""
            let header =
                lines.first { $0.lowercased().contains(#/^(proxy-)?authorization:/#) }
                .map { String($0[$0.firstIndex(of: ":")!...].dropFirst()).trimmingCharacters(in: .whitespaces) } ?? ""
            let body = lines.last ?? ""
            basic = header.hasPrefix("Basic ") ? String(header.dropFirst("Basic ".count)) : nil
            let plain = basic.flatMap { Data(base64Encoded: $0) }.map { String(decoding: $0, as: UTF8.self) }
            lastField = body.split(separator: "=").last.map(String.init) ?? ""
            said = [header, plain, body].compactMap { $0?.isEmpty == false ? $0 : nil }.joined(separator: " ")
            let name = words.first == "CONNECT" ? plain?.split(separator: ":").first : path.split(separator: "/").first
            manner = name.flatMap { Manner(rawValue: String($0)) }
        }

        /// As JSON strings, in the two spellings that encoders have for `/` and `+`.
        var quoted: String {
            "\"" + said.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        var escaped: String { quoted.replacing("/", with: "\\/").replacing("+", with: "\\u002b") }

        /// An error of the API's own, or of the partner's app, that says it in every field.
        func error(_ status: Int, _ code: String? = nil) -> String {
            """
            {"status": \(status), "code": \(code.map { "\"\($0)\"" } ?? quoted), "title": \(quoted), "detail": \(escaped),
             "source": {"pointer": \(quoted), "parameter": \(escaped), "header": \(quoted)},
             "meta": {"sent": [\(escaped)]}, "more": \(quoted)}
            """
        }
    }

    /// - Returns: nil for none at all.
    private func answer(to call: Call) -> String? {
        let html = "<html><body>you sent \(call.said)</body></html>"
        switch call.manner {
        case .unauthorized: return json(401, "{\"errors\": [\(call.error(401))]}", call)
        case .unauthenticated: return json(403, "{\"errors\": [\(call.error(403, "authentication_failed"))]}", call)
        case .denied: return json(403, "{\"errors\": [\(call.error(403, "permission_denied"))]}", call)
        case .missing: return json(404, "{\"errors\": [\(call.error(404, "not_found"))]}", call)
        case .html: return head(500, call, "text/html", html.utf8.count) + html
        case .firewall: return head(call.isPost ? 401 : 403, call, "text/html", html.utf8.count) + html
        case .redirect: return head(307, call, "text/plain", 0)
        case .garbage: return "\(call.said)\r\n\r\n"
        case .silence: return nil
        case .tokens:
            return json(
                200,
                """
                {"access_token": "\(Guarded.token.rawValue)", "expires_in": 36000,
                 "refresh_token": "\(Guarded.nextRefreshToken.rawValue)", "sent": \(call.quoted)}
                """, call)
        case .wrongGrant: return json(400, oauthError(call.quoted, call), call)
        case .wrongBasic: return json(401, oauthError("\"\(call.basic ?? "")\"", call), call)
        case .wrongForm:
            return json(401, oauthError("\"\(call.basic == nil ? call.lastField : "invalid_client")\"", call), call)
        case .wrongProxy: return head(407, call, "text/html", html.utf8.count) + html
        case .readOnly where call.isPost: return json(401, "{\"errors\": [\(call.error(401))]}", call)
        case .each, .readOnly, nil: break
        }
        let isRun = call.path.contains("/runs/")
        guard isRun, let scenario = Scenario(rawValue: String(call.path.suffix(36).prefix(8))) else {
            if call.isPost { return json(400, "{\"errors\": [\(call.error(400))]}", call) }
            return json(200, "{\"type\": \"stored_action\", \"action_type\": \"read_bulk\"}", call)
        }
        switch scenario {
        case .bulkStrings:
            return json(200, "{\"status\": \"success\", \"results\": [1], \"errors\": [], \"next_page\": \"1\"}", call)
        case .error:
            return json(
                200, "{\"status\": \"error\", \"results\": [], \"errors\": [\(call.error(1)), \(call.quoted)]}", call)
        case .unknownStatus: return json(200, "{\"status\": \(call.quoted), \"results\": []}", call)
        case .wrongID: return json(200, "{\"id\": \(call.quoted), \"status\": \"success\", \"results\": []}", call)
        case .html: return head(200, call, "text/html", html.utf8.count) + html
        case .notFoundHTML: return head(404, call, "text/html", html.utf8.count) + html
        case .truncatedJSON: return json(200, "{\"status\": \(call.quoted), \"results\": [", call)
        case .cut: return head(200, call, "application/json", 10_000) + "{\"status\": \(call.quoted)"
        case .noAnswer: return "HTTP/1.1 200 OK\r\nX-\(call.said)\r\n\r\n"
        case .redirect: return head(307, call, "text/plain", 0)
        case .badRequest: return json(400, "{\"errors\": [\(call.error(400))]}", call)
        case .conflict:
            return json(409, "{\"errors\": [{\"detail\": \(call.escaped), \"meta\": {\(call.escaped): 1}}]}", call)
        case .gone: return json(410, "{\"errors\": [\(call.error(410))]}", call)
        case .unprocessable: return head(422, call, "text/html", html.utf8.count) + html
        case .resultsMixed:
            return json(200, "{\"status\": \"success\", \"results\": [\(call.escaped)], \"errors\": []}", call)
        case .forbidden: return json(403, "{\"errors\": [\(call.error(403, "permission_denied"))]}", call)
        case .missing: return json(404, "{\"errors\": [\(call.error(404, "not_found"))]}", call)
        case .serverError: return json(500, "{\"errors\": [\(call.error(500))]}", call)
        default: return json(200, "{\"status\": \"success\", \"results\": [{\"a\": 1}], \"errors\": []}", call)
        }
    }

    private func oauthError(_ code: String, _ call: Call) -> String {
        "{\"error\": \(code), \"error_description\": \(call.escaped), \"error_uri\": \(call.quoted)}"
    }

    private func json(_ status: Int, _ body: String, _ call: Call) -> String {
        head(status, call, "application/json", body.utf8.count) + body
    }

    private func head(_ status: Int, _ call: Call, _ type: String, _ length: Int) -> String {
        let said = call.said.replacing("\n", with: " ")
        return """
            HTTP/1.1 \(status) \(said)
            Content-Type: \(type)
            Content-Length: \(length)
            Connection: close
            WWW-Authenticate: \(said)
            Proxy-Authenticate: Basic realm="\(said)"
            Retry-After: \(said)
            X-RateLimit-Reset: \(said)
            Location: \(address(.each))\(call.path)?sent=\(said.replacing(" ", with: "%20"))


            """.replacing("\n", with: "\r\n")
    }
}
