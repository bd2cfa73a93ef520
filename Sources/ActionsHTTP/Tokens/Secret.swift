import ActionsAPI

/// A client secret, a refresh token or a proxy's password. Like an `AccessToken`, it cannot be shown by accident.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// For those alone who send it or store it.
    let value: String

    /// - Returns: nil if the text is empty.
    package init?(_ text: String) {
        guard !text.isEmpty else { return nil }
        value = text
    }

    func occurs(in text: String) -> Bool { text.contains(value) }

    package var description: String { "Secret" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// How this program identifies itself to the issuer of tokens.
package struct ClientCredentials: Sendable, Equatable {
    package var id: String
    package var secret: Secret

    package init(id: String, secret: Secret) {
        self.id = id
        self.secret = secret
    }
}
