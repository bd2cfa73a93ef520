import ActionsAPI

/// Why one try to get a token brought none.
enum TokenFailure: Error, Equatable {
    case final(TokenError)
    case transient(RetryPolicy.Failure, retryAfter: Duration?, reason: String)
}
