import Foundation

/// The tokens that are valid at the moment. Issued ones are numbered, so that a test can distinguish them.
struct TokenLedger: Sendable {
    struct Grant: Equatable, Sendable {
        let accessToken: String
        let refreshToken: String?
        let expiresIn: Int
    }

    /// An OAuth 2.0 error (RFC 6749, section 5.2).
    enum Refusal: String, Error {
        case invalidClient = "invalid_client"
        case invalidRequest = "invalid_request"
        case invalidGrant = "invalid_grant"
        case invalidScope = "invalid_scope"
        case unsupportedGrantType = "unsupported_grant_type"

        var status: Int { self == .invalidClient ? 401 : 400 }
    }

    private let standing: String
    private let clientID: String
    private let clientSecret: String
    private let lifetime: Int
    private var expiries: [String: Date] = [:]
    private var refreshToken: String
    private var issued = 0

    init(_ settings: Settings) {
        standing = settings.token
        clientID = settings.clientID
        clientSecret = settings.clientSecret
        lifetime = settings.tokenLifetime
        refreshToken = settings.refreshToken
    }

    func accepts(_ token: String, at now: Date) -> Bool {
        token == standing || expiries[token].map { now < $0 } ?? false
    }

    /// `basic` is what an `Authorization: Basic` header held; without one, id and secret are form fields.
    mutating func issue(
        form: [String: String], basic: (id: String, secret: String)?, at now: Date
    ) throws(Refusal) -> Grant {
        let id = basic?.id ?? form["client_id"]
        let secret = basic?.secret ?? form["client_secret"]
        guard id == clientID, secret == clientSecret else { throw .invalidClient }
        switch form["grant_type"] {
        case "client_credentials":
            guard form["scope"] == "external" else { throw .invalidScope }
            guard form["audience"] == "zapier.com" else { throw .invalidRequest }
            return grant(refreshToken: nil, at: now)
        case "refresh_token":
            guard let presented = form["refresh_token"] else { throw .invalidRequest }
            guard presented == refreshToken else { throw .invalidGrant }
            refreshToken = "sandbox-refresh-\(issued + 1)"
            return grant(refreshToken: refreshToken, at: now)
        case nil: throw .invalidRequest
        default: throw .unsupportedGrantType
        }
    }

    private mutating func grant(refreshToken: String?, at now: Date) -> Grant {
        issued += 1
        let token = "sandbox-access-\(issued)"
        expiries[token] = now.addingTimeInterval(TimeInterval(lifetime))
        return Grant(accessToken: token, refreshToken: refreshToken, expiresIn: lifetime)
    }
}
