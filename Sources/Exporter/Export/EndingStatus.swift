import ExportCore

extension Ending {
    /// The exit status of an export that ended so and left this account. Where several hold, 78 comes before 77, that before
    /// 69, a signal, 75, 4 and 3.
    func exitStatus(_ account: Ledger.Account, options: ExportOptions) -> Int32 {
        switch self {
        case .invalidSetting: return ExitStatus.invalidSetting
        case .credentialsRefused, .otherAccount: return ExitStatus.credentialsRefused
        case .apiUnreachable: return ExitStatus.unreachable
        case .interrupted(let signal): return ExitStatus.interrupted(by: signal)
        case .finished, .timeLimit, .apiFailing: break
        }
        let incomplete = account.outcomes.contains { outcome, items in
            items > 0 && !outcome.isFinal && !options.allow.contains(outcome)
        }
        if incomplete || account.chains[nil, default: 0] > 0 || account.hasPagesToRefetch {
            return ExitStatus.incomplete
        }
        if account.chains[.submitUnknown, default: 0] > 0 { return ExitStatus.needsPerson }
        let found =
            account.isOfDoubtfulAccount && !options.failsOnNothing
            || options.failOn.contains { account.outcomes[$0, default: 0] > 0 }
            || options.failOnTruncated && account.chains.contains { $0?.isTruncated == true && $1 > 0 }
            || options.failOnRejects && account.rejects > 0
        return found ? ExitStatus.completeWithFindings : ExitStatus.complete
    }
}
