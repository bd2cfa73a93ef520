import ActionsAPI
import Foundation
import HTTPTypes

/// What is sent to the token endpoint.
struct TokenRequest: Sendable {
    enum Grant: Sendable {
        case clientCredentials
        case refreshToken(Secret)

        fileprivate var fields: [(String, String)] {
            switch self {
            case .clientCredentials:
                [("grant_type", "client_credentials"), ("scope", "external"), ("audience", "zapier.com")]
            case .refreshToken(let token): [("grant_type", "refresh_token"), ("refresh_token", token.value)]
            }
        }
    }

    /// How the client identifies itself (RFC 6749, section 2.3.1): a server supports one of these or both.
    enum Authentication: Sendable {
        case basic, form
    }

    static func request(_ grant: Grant, client: ClientCredentials, by authentication: Authentication) -> APIRequest {
        var fields = grant.fields
        var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
        switch authentication {
        case .basic: headers[.authorization] = "Basic \(basic(client))"
        case .form: fields += [("client_id", client.id), ("client_secret", client.secret.value)]
        }
        let body = fields.map { "\($0)=\(encoded($1))" }.joined(separator: "&")
        return APIRequest(method: .post, path: "", headers: headers, body: Array(body.utf8))
    }

    /// Id and secret in Base64.
    static func basic(_ client: ClientCredentials) -> String {
        Data("\(encoded(client.id)):\(encoded(client.secret.value))".utf8).base64EncodedString()
    }

    /// As a form has it. A space is `%20`, which every reader of forms takes for one, as it does `+`.
    static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
}
