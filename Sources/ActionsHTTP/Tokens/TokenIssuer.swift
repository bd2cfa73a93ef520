import ActionsAPI
import Foundation

import Glibc

/// A token that was just issued.
package struct IssuedToken: Sendable, Equatable {
    var token: AccessToken
    /// How long it is good for; nil if unknown.
    var lifetime: Duration?
}

/// Where a new access token comes from.
package protocol TokenIssuer: Sendable {
    /// One try.
    ///
    /// - Throws: `TokenFailure`; `CancellationError`.
    func issue() async throws -> IssuedToken

    /// What it is at now may be given up without harm to the credentials.
    var canBeInterrupted: Bool { get }
}

extension TokenIssuer {
    package var canBeInterrupted: Bool { true }
}

/// A file that another program updates with new tokens.
package struct TokenFile: TokenIssuer {
    private let path: String

    package init(path: String) { self.path = path }

    package func issue() throws -> IssuedToken {
        // A pipe gives its token once, and reading it again would wait forever.
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            let text = try? String(contentsOfFile: path, encoding: .utf8),
            let token = AccessToken(text.trimmingCharacters(in: .whitespacesAndNewlines))
        else {
            throw TokenFailure.final(
                TokenError(.refused, "the API refused the token, and \(path) holds no other that could be read"))
        }
        return IssuedToken(token: token)
    }
}

/// OAuth 2.0 client credentials (RFC 6749, section 4.4).
package struct ClientCredentialsGrant: TokenIssuer {
    private let endpoint: TokenEndpoint

    package init(endpoint: TokenEndpoint) { self.endpoint = endpoint }

    package func issue() async throws -> IssuedToken {
        try await endpoint.exchange(.clientCredentials).access()
    }
}
