import ActionsAPI
import Foundation

/// OAuth 2.0 refresh tokens (RFC 6749, section 6) that may be good for one use: the answer's own is stored in the place
/// of the one that was sent before anybody uses the access token that came with it.
package struct RefreshTokenGrant: TokenIssuer {
    private let file: RefreshTokenFile
    private let endpoint: TokenEndpoint
    private let exchanges: ExchangesUnderWay

    package init(
        file: RefreshTokenFile, endpoint: TokenEndpoint, exchanges: ExchangesUnderWay = ExchangesUnderWay()
    ) {
        self.file = file
        self.endpoint = endpoint
        self.exchanges = exchanges
    }

    package var canBeInterrupted: Bool { exchanges.isEmpty }

    package func issue() async throws -> IssuedToken {
        let locked = try await file.lock()
        // From here to the end nothing may be cancelled: once the old token has been sent, the new one must be stored.
        return try await exchanges.during { try await Task { try await exchange(locked) }.value }
    }

    private func exchange(_ locked: LockedTokenFile) async throws -> IssuedToken {
        let candidates = try locked.candidates()
        for (index, candidate) in candidates.enumerated() {
            let slot = try locked.prepare()
            let tokens: TokenAnswer.Tokens
            do {
                tokens = try await endpoint.exchange(.refreshToken(candidate.token))
            } catch {
                locked.discard(slot)
                if case TokenFailure.final(let refusal) = error, refusal.kind == .refused, index + 1 < candidates.count
                {
                    continue
                }
                throw error
            }
            if let new = tokens.refreshToken ?? (candidate.isLeftover ? candidate.token : nil) {
                try locked.store(new, in: slot)
            } else {
                locked.discard(slot)
                // They come before the file's own token, so each of them was refused.
                locked.removeLeftovers()
            }
            return try tokens.access()
        }
        throw TokenFailure.noRefreshToken(file.path)
    }
}
