/// Why this call cannot get a token to ask the API with.
package struct TokenError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// The credentials themselves were refused.
        case refused
        /// A file or a folder is not as it has to be.
        case invalidSetting
        /// The issuer gave no usable answer, and the tries are used up.
        case unreachable
    }

    package var kind: Kind
    /// For people, without any secret.
    package var reason: String

    package init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    package var description: String { reason }
}
