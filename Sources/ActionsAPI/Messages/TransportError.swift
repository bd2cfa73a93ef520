/// Why no complete answer came. What it means for a further try is `RetryPolicy`'s to say.
package struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// There was no connection, so the request never left. For a POST `Departure` makes sure of that.
        case notConnected
        /// The connection broke after the request may have left.
        case connectionLost
        case timedOut
        case bodyTooLarge
    }

    package var kind: Kind
    /// For people: what happened, without address, token or body.
    package var reason: String
    /// The head of an answer had come: the server responded.
    package var answerBegan: Bool
    /// How often the request had left before the last time, on connections that failed under it.
    package var resent = 0

    package init(_ kind: Kind, _ reason: String, answerBegan: Bool = false) {
        self.kind = kind
        self.reason = reason
        self.answerBegan = answerBegan
    }

    package var description: String { reason }

    package var failure: RetryPolicy.Failure {
        switch kind {
        case .notConnected: .notConnected
        case .connectionLost: .connectionLost
        case .timedOut: .timedOut
        case .bodyTooLarge: .bodyTooLarge
        }
    }
}
