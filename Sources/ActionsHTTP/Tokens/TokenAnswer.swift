import ActionsAPI
import Foundation
import JSONText

/// What one answer of the token endpoint means (RFC 6749, sections 5.1 and 5.2).
///
/// | answer | case |
/// | --- | --- |
/// | 2xx with JSON that has an `access_token`, a `refresh_token` or both | `issued` |
/// | 400, 401; any other 4xx with an OAuth `error` | `refused` |
/// | 408, 425, 429, 5xx | `failed`, to be tried again |
/// | anything else: a redirect, which is not followed; a page of a proxy's | `failed`, to be tried again |
enum TokenAnswer: Sendable, Equatable {
    case issued(Tokens)
    /// - Parameter code: the OAuth error; nil where there is none that can be shown.
    case refused(status: Int, code: String?)
    case failed(RetryPolicy.Failure, reason: String)

    struct Tokens: Sendable, Equatable {
        /// Nil: no access token, or none that can be used, and the refresh token may be all that is left.
        var issued: IssuedToken?
        /// Nil: the old one stays good.
        var refreshToken: Secret?

        /// - Throws: `TokenFailure`, to be tried again, where there is none.
        func access() throws -> IssuedToken {
            guard let issued else {
                throw TokenFailure.transient(
                    .malformedAnswer, retryAfter: nil,
                    reason: "the token endpoint answered with a refresh token, but without an access token")
            }
            return issued
        }
    }

    /// The documented `expires_in`, for answers that leave it out. A shorter lifetime that is not announced
    /// shows by a refusal.
    static let usualLifetime = 36_000

    init(_ response: APIResponse) {
        let status = response.status
        // The old refresh token may be spent, so the new one is taken from any answer that can be read.
        let body = try? JSONValue(validating: response.body, allowingBrokenUTF8: true)
        switch status {
        case 200...299: self = Self.tokens(body, status: status)
        // No budget waits for this endpoint: too many is the same as out of service.
        case 429: self = .failed(.status(503), reason: "the token endpoint answered 429")
        case 408, 425, 500...599: self = .failed(.status(status), reason: "the token endpoint answered \(status)")
        case 400, 401: self = .refused(status: status, code: Self.code(body))
        case 400...499 where body?["error"]?.string != nil: self = .refused(status: status, code: Self.code(body))
        case 300...399:
            self = .failed(
                .malformedAnswer,
                reason: "the token endpoint answered \(response.statusText): is its address right?")
        default:
            self = .failed(
                .malformedAnswer,
                reason: "the token endpoint answered \(status) without an OAuth error: is its address right?")
        }
    }

    private static func tokens(_ body: JSONValue?, status: Int) -> TokenAnswer {
        let token = body?["access_token"]?.string.flatMap(AccessToken.init)
        let refreshToken = body?["refresh_token"].flatMap { $0.isBrokenString ? nil : $0.string }.flatMap(Secret.init)
        guard token != nil || refreshToken != nil else {
            return .failed(.malformedAnswer, reason: "the token endpoint answered \(status) without an access token")
        }
        let lifetime = body?["expires_in"].flatMap { $0.int ?? $0.string.flatMap(Int.init) }
        return .issued(
            Tokens(
                issued: token.map { IssuedToken(token: $0, lifetime: .seconds(lifetime ?? usualLifetime)) },
                refreshToken: refreshToken))
    }

    private static func code(_ body: JSONValue?) -> String? {
        body?["error"]?.string.flatMap { $0.isErrorCode ? $0 : nil }
    }
}
