import ActionsAPI

/// What an answer, or its absence, says about the API's health.
enum HealthReport: Sendable, Equatable {
    case well
    /// It says nothing of it: the rate window, or the credentials, are at fault.
    case unknown
    /// For people: what failed.
    case failing(reason: String)

    /// - Parameter status: HTTP status of the answer.
    init(_ answer: RunAnswer, status: Int) {
        self =
            switch answer {
            case .throttled, .credentialsRefused, .tokenEnded: .unknown
            // Whether those are the runs' or the credentials' is `CredentialsWatch`'s to say.
            case .faulty where status == 403: .unknown
            // A balancer's, of this one exchange.
            case .faulty where [408, 425].contains(status): .unknown
            case .faulty(let failure, let reason, _, _) where failure.isServers: .failing(reason: reason)
            case .finished, .waiting, .pending, .gone, .forbidden, .rejected, .faulty: .well
            }
    }

    init(_ error: TransportError) {
        self = error.failure.isServers ? .failing(reason: error.reason) : .well
    }

    init(_ answer: StartAnswer) {
        self =
            switch answer {
            case .throttled, .credentialsRefused, .tokenEnded: .unknown
            case .unavailable: .failing(reason: "the API is not available")
            case .inDoubt(let reason): .failing(reason: reason)
            case .started, .refused: .well
            }
    }

    init(_ answer: LookUpAnswer) {
        self =
            switch answer {
            case .throttled, .credentialsRefused, .tokenEnded: .unknown
            case .faulty(let failure, let reason) where failure.isServers: .failing(reason: reason)
            case .known, .refused, .faulty: .well
            }
    }
}

extension RetryPolicy.Failure {
    /// Such as a server in trouble makes of every request.
    fileprivate var isServers: Bool {
        switch self {
        case .connectionLost, .timedOut, .malformedAnswer: true
        case .status(let status): (500...599).contains(status)
        case .notConnected, .bodyTooLarge, .unknownStatus: false
        }
    }
}
