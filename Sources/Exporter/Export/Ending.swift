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
    /// No request ever got an answer.
    case apiUnreachable(String)
}

/// Exit statuses, as `sysexits.h` has them where it does.
package enum ExitStatus {
    package static let complete: Int32 = 0
    package static let unexpected: Int32 = 1
    package static let completeWithFindings: Int32 = 3
    package static let usage: Int32 = 64
    package static let invalidManifest: Int32 = 65
    package static let unreachable: Int32 = 69
    package static let incomplete: Int32 = 75
    package static let credentialsRefused: Int32 = 77
    package static let invalidSetting: Int32 = 78

    /// As a shell tells a process that a signal ended.
    package static func interrupted(by signal: Int32) -> Int32 { 128 + signal }
}

extension Ending {
    /// Which of several reasons is told: the lowest.
    var rank: Int {
        switch self {
        case .credentialsRefused: 0
        case .apiUnreachable: 1
        case .interrupted: 2
        case .timeLimit: 3
        case .finished: 4
        }
    }

    /// The exit status of an export that ended so and left this account. Where several hold, 77 comes before 69, that
    /// before a signal, 75 and 3.
    func exitStatus(_ account: Ledger.Account, options: ExportOptions) -> Int32 {
        switch self {
        case .credentialsRefused: return ExitStatus.credentialsRefused
        case .apiUnreachable: return ExitStatus.unreachable
        case .interrupted(let signal): return ExitStatus.interrupted(by: signal)
        case .finished, .timeLimit: break
        }
        let incomplete = account.outcomes.contains { outcome, items in
            items > 0 && !outcome.isFinal && !options.allow.contains(outcome)
        }
        if incomplete || account.unfollowedCursors > 0 { return ExitStatus.incomplete }
        let found = options.failOn.contains { account.outcomes[$0, default: 0] > 0 }
        return found ? ExitStatus.completeWithFindings : ExitStatus.complete
    }

    /// The outcome of the export, as its row tells it.
    static func exportOutcome(exitStatus: Int32) -> String {
        switch exitStatus {
        case ExitStatus.complete, ExitStatus.completeWithFindings: "complete"
        case ExitStatus.incomplete: "incomplete"
        case 129...: "interrupted"
        default: "failed"
        }
    }
}
