import ExportCore
import Foundation

extension Ending {
    /// For people: why the export ended as it did; nil where nothing but its account says so.
    func reason(account: ZapierAccount) -> String? {
        switch self {
        case .finished: nil
        case .timeLimit(nil): "the time limit was reached"
        case .timeLimit(let date?):
            "nothing more can be done within the time limit; come back at \(date.formatted(.iso8601))"
        case .interrupted(let signal): "interrupted by signal \(signal)"
        case .invalidSetting(let reason): reason
        case .credentialsRefused(let detail):
            "the API refused the credentials" + (detail.isEmpty ? "" : ": \(detail.prefix(200))")
        case .otherAccount(let action):
            "the token does not see stored action \(action.lowercase), of which account \"\(account.name)\" has results: "
                + "is it the token of another account? Nothing was recorded of runs answered with 404 or 403"
        case .apiUnreachable(let reason): "the API cannot be reached: \(reason)"
        case .apiFailing(let reason, nil): "the API fails whatever it is asked: \(reason)"
        case .apiFailing(let reason, let date?):
            "the API fails whatever it is asked: \(reason); come back at \(date.formatted(.iso8601))"
        }
    }
}

extension Ledger.Account {
    /// For people: what keeps an export that has asked for everything from being complete, or what it found; nil if
    /// there is nothing to say.
    func reason(of exitStatus: Int32, _ options: ExportOptions) -> String? {
        switch exitStatus {
        case ExitStatus.incomplete:
            let left = Outcome.allCases.filter { !$0.isFinal && !options.allow.contains($0) }
            var parts = counted(left)
            if let open = chains[nil], open > 0 { parts.append(count(open, "chain") + " without an end") }
            if let doubts = chains[.submitUnknown], doubts > 0 { parts.append(count(doubts, "page") + " in doubt") }
            if hasPagesToRefetch { parts.append("pages to fetch again") }
            return "left: " + parts.joined(separator: ", ")
        case ExitStatus.needsPerson:
            return "left: " + count(chains[.submitUnknown] ?? 0, "page") + " in doubt, which a person has to resolve"
        case ExitStatus.completeWithFindings:
            var parts = counted(Outcome.allCases.filter(options.failOn.contains))
            let truncated = chains.filter { $0.key?.isTruncated == true }.values.reduce(0, +)
            if options.failOnTruncated, truncated > 0 { parts.append(count(truncated, "truncated chain")) }
            if options.failOnRejects, rejects > 0 { parts.append(count(rejects, "reject")) }
            if isOfDoubtfulAccount, !options.failsOnNothing { parts.append("404 for every run, young ones included") }
            return "found: " + parts.joined(separator: ", ")
        default: return nil
        }
    }

    private func counted(_ names: [Outcome]) -> [String] {
        names.compactMap { outcome in
            let items = outcomes[outcome] ?? 0
            return items > 0 ? "\(items) \(outcome.rawValue)" : nil
        }
    }
}
