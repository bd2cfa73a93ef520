import ActionsAPI
import Foundation

/// Decides which token a request is sent with, when to get a new one, and when none can be had.
///
///     none ── wanted ──▶ renewing ── issued ──▶ held ── its time, or refused ──▶ renewing
///                          │ ▲                    │
///                          │ └── a try failed     └─ refused, and it had come for a refusal just before ──▶ over
///                          └── refused ──▶ over
///
/// One renewal is under way at a time, however many wait for it. A token is renewed for a refusal once: if the one that
/// comes is refused as well, the fault is not the token's.
struct TokenState: Sendable {
    enum Decision: Equatable {
        case use(AccessToken)
        /// Begin a renewal, and wait for it.
        case renew
        /// A renewal is under way.
        case wait
        case over(TokenError)
    }

    private struct Held {
        var token: AccessToken
        /// Nil of a token that was there from the start.
        var issuedAt: Date?
        /// Below this age a refusal is final: of a token that came for a refusal.
        var youth: TimeInterval
        var expiresAt: Date
        var renewsAt: Date
    }

    private let isRenewable: Bool
    private var held: Held?
    /// The held token is good for nothing any more.
    private var isRefused = false
    private var isRenewing = false
    /// Of the renewal under way, a try has failed.
    private var hasFailed = false
    private var over: TokenError?

    /// - Parameters:
    ///   - token: that is there from the start; nil if the first is to be asked for.
    ///   - isRenewable: there is an issuer to ask for another.
    init(_ token: AccessToken?, isRenewable: Bool) {
        held = token.map {
            Held(token: $0, issuedAt: nil, youth: 0, expiresAt: .distantFuture, renewsAt: .distantFuture)
        }
        self.isRenewable = isRenewable
    }

    /// There is one, whether it is still good or not.
    var hasToken: Bool { held != nil }

    /// A request is about to depart.
    mutating func wanted(at now: Date) -> Decision {
        if let over { return .over(over) }
        if let held, !isRefused, now < held.renewsAt { return .use(held.token) }
        if isRenewing {
            // The old one serves as long as it can while the new one is hard to get.
            if hasFailed, let token = usable(at: now) { return .use(token) }
            return .wait
        }
        isRenewing = true
        hasFailed = false
        return .renew
    }

    /// The API refused a token.
    ///
    /// - Returns: whether to ask again with another one. If not, the credentials are refused.
    mutating func refused(_ token: AccessToken, at now: Date) -> Bool {
        guard over == nil, isRenewable else { return false }
        guard let held, held.token == token, !isRefused else { return true }
        if let issuedAt = held.issuedAt, now.timeIntervalSince(issuedAt) < held.youth {
            over = TokenError(.refused, "the API refused a token that had just been issued")
            return false
        }
        isRefused = true
        return true
    }

    /// The renewal brought a token.
    ///
    /// - Returns: why it is of no use, if so.
    mutating func issued(_ issued: IssuedToken, at now: Date) -> TokenError? {
        isRenewing = false
        if isRefused, held?.token == issued.token {
            let error = TokenError(.refused, "the API refused the token, and there is no other")
            over = error
            return error
        }
        // Were it less than a second, every request would want a token of its own.
        let life = issued.lifetime.map { max($0, .seconds(1)).seconds } ?? .infinity
        let end = life < 366 * 86_400 ? now + life : .distantFuture
        held = Held(
            token: issued.token, issuedAt: now, youth: isRefused ? max(1, min(10, life / 2)) : 0, expiresAt: end,
            renewsAt: end - min(60, life / 10))
        isRefused = false
        return nil
    }

    /// A try of the renewal failed, and there will be another.
    ///
    /// - Returns: the old token, if it still serves those who wait.
    mutating func tryFailed(at now: Date) -> AccessToken? {
        hasFailed = true
        return usable(at: now)
    }

    /// The renewal is given up.
    ///
    /// - Returns: the old token, if it still serves those who wait.
    mutating func gaveUp(_ error: TokenError, at now: Date) -> AccessToken? {
        isRenewing = false
        if error.kind == .refused { over = error }
        guard error.kind == .unreachable, let token = usable(at: now) else { return nil }
        // Do not renew again before expiry.
        if let end = held?.expiresAt { held?.renewsAt = end }
        return token
    }

    /// The renewal was cancelled: the next caller begins another.
    mutating func stopped() { isRenewing = false }

    private func usable(at now: Date) -> AccessToken? {
        guard let held, !isRefused, now < held.expiresAt else { return nil }
        return held.token
    }
}
