import Foundation

/// Why an export stopped asking.
package enum Ending: Sendable, Equatable {
    /// Nothing was left that it would ask for.
    case finished
    /// `--time-limit` was reached, or nothing could have been done before it.
    /// `comeBackAt`: when there will be something to do, if it is not at once.
    case timeLimit(comeBackAt: Date?)
    case interrupted(signal: Int32)
    /// The API does not accept the token.
    case credentialsRefused(String)
    /// The token does not see that stored action, of which the account has had results.
    case otherAccount(UUID)
    /// A setting turned out to be wrong when it was needed.
    case invalidSetting(String)
    /// No request ever got an answer.
    case apiUnreachable(Silence)
    /// It answers, and fails whatever it is asked. `comeBackAt`: when it wants to be asked again, if it said so.
    case apiFailing(String, comeBackAt: Date?)
}

extension Ending {
    /// Why the API could not be reached.
    package enum Silence: Sendable, Equatable {
        /// No connection, no token or no answer, in the words of the transport.
        case failed(String)
        /// A proxy or firewall before the API answers with pages of its own; `status`: of the page that ended the
        /// export.
        case blocked(status: Int?)
        /// Requests were made, and none was answered.
        case unanswered
    }

    /// Of several reasons the one with the lowest rank is reported.
    var rank: Int {
        switch self {
        case .invalidSetting: 0
        case .credentialsRefused, .otherAccount: 1
        case .apiUnreachable: 2
        case .interrupted: 3
        case .apiFailing: 4
        case .timeLimit: 5
        case .finished: 6
        }
    }

    /// What an export ended by that had asked the API and never got an answer: a time limit, or tries that are used up,
    /// are not the reason then. A signal stays a signal.
    ///
    /// - Parameter silence: what became of the requests.
    func unanswered(_ silence: Silence) -> Ending {
        switch self {
        case .finished, .timeLimit: .apiUnreachable(silence)
        case .interrupted, .credentialsRefused, .otherAccount, .invalidSetting, .apiUnreachable, .apiFailing: self
        }
    }
}
