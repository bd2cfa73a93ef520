import ExportCore

/// What an export amounts to when it has ended: what its caller decides by.
///
/// Where several hold, the settings come before the credentials, these before an API out of reach, then a signal, what
/// is left to fetch, pages in doubt, and what was found.
package enum ExportVerdict: Sendable, Equatable {
    /// What keeps an export from being complete; the same command goes on with it.
    package struct Rest: Sendable, Equatable {
        /// Runs that need further asking, by outcome; none is 0.
        package var outcomes: [Outcome: Int] = [:]
        /// Chains of pages without an end.
        package var openChains = 0
        /// Pages whose run may or may not have started.
        package var pagesInDoubt = 0
        /// Stored pages are left that `--refetch` was to fetch again.
        package var hasPagesToRefetch = false

        package init() {}
    }

    /// What `--fail-on` names and a complete export has.
    package struct Findings: Sendable, Equatable {
        /// Runs by outcome; none is 0.
        package var outcomes: [Outcome: Int] = [:]
        /// Chains behind whose end rows may be missing.
        package var truncatedChains = 0
        /// Parts of answers that PostgreSQL refused.
        package var rejects = 0
        /// The API has none of many young runs: account and API may be the wrong ones.
        package var isOfDoubtfulAccount = false

        package init() {}
    }

    /// Every run has a final outcome, and every chain an end that is not in doubt.
    case complete
    case completeWithFindings(Findings)
    case incomplete(Rest)
    /// Nothing is left but pages in doubt, which a person has to resolve.
    case needsPerson(pagesInDoubt: Int)
    case interrupted(signal: Int32)
    /// The API cannot be reached.
    case unreachable
    /// The API refused the credentials, or they are those of another account.
    case credentialsRefused
    case invalidSetting

    /// What the export's row is closed with.
    package var outcome: ExportOutcome {
        switch self {
        case .complete, .completeWithFindings: .complete
        case .incomplete, .needsPerson: .incomplete
        case .interrupted: .interrupted
        case .unreachable, .credentialsRefused, .invalidSetting: .failed
        }
    }
}

extension ExportVerdict {
    /// - Parameters:
    ///   - ending: why the export stopped asking.
    ///   - balance: what it leaves.
    init(_ ending: Ending, _ balance: ExportBalance, _ options: ExportOptions) {
        switch ending {
        case .invalidSetting: self = .invalidSetting
        case .credentialsRefused, .otherAccount: self = .credentialsRefused
        case .apiUnreachable: self = .unreachable
        case .interrupted(let signal): self = .interrupted(signal: signal)
        case .finished, .timeLimit, .apiFailing: self.init(balance, options)
        }
    }

    private init(_ balance: ExportBalance, _ options: ExportOptions) {
        let rest = Rest(balance, options)
        let findings = Findings(balance, options)
        if !rest.outcomes.isEmpty || rest.openChains > 0 || rest.hasPagesToRefetch {
            self = .incomplete(rest)
        } else if rest.pagesInDoubt > 0 {
            self = .needsPerson(pagesInDoubt: rest.pagesInDoubt)
        } else {
            self = findings == Findings() ? .complete : .completeWithFindings(findings)
        }
    }
}

extension ExportVerdict.Rest {
    fileprivate init(_ balance: ExportBalance, _ options: ExportOptions) {
        outcomes = balance.outcomes.filter { outcome, items in
            items > 0 && !outcome.isFinal && !options.allow.contains(outcome)
        }
        openChains = balance.chains[nil, default: 0]
        pagesInDoubt = balance.chains[.submitUnknown, default: 0]
        hasPagesToRefetch = balance.hasPagesToRefetch
    }
}

extension ExportVerdict.Findings {
    fileprivate init(_ balance: ExportBalance, _ options: ExportOptions) {
        outcomes = balance.outcomes.filter { outcome, items in items > 0 && options.failOn.contains(outcome) }
        if options.failOnTruncated {
            truncatedChains = balance.chains.filter { $0.key?.isTruncated == true }.values.reduce(0, +)
        }
        if options.failOnRejects { rejects = balance.rejects }
        isOfDoubtfulAccount = balance.isOfDoubtfulAccount && !options.failsOnNothing
    }
}
