import ActionsAPI
import ExportCore
import Exporter
import Foundation

/// How the end of an export is put: as an exit status, and for people.
struct EndText {
    let outcome: ExportOutcome
    let status: Int32
    /// Why the export ended as it did, where that takes words.
    let reason: String?
    /// What it left or found; nil if there is nothing to say.
    let detail: String?
    /// Introduces the command that continues; nil where none does.
    let next: String?

    /// - Parameter account: the name of the account whose runs they are.
    init(_ end: ExportEnd, account: String?) {
        switch end {
        case .skipped(let holder):
            outcome = .skipped
            status = ExitStatus.complete
            reason = "another export of this manifest is running" + (holder.map { " (\($0.description))" } ?? "")
            (detail, next) = (nil, nil)
        case .ended(let ending, let verdict):
            outcome = verdict.outcome
            reason = Self.reason(ending, account: account)
            (status, detail, next) = Self.words(verdict)
        case .failed(let error):
            status = Failure(error).status
            outcome = Self.outcome(ofFailure: status)
            (reason, detail, next) = (nil, nil, nil)
        }
    }

    /// What the row of an export of the account keeps of its end.
    static func record(_ end: ExportEnd, account: ZapierAccount) -> ExportRecord {
        let text = EndText(end, account: account.name)
        let reason = if case .failed(let error) = end { "\(error)" } else { text.reason ?? text.detail }
        return ExportRecord(outcome: text.outcome, exitStatus: text.status, reason: reason)
    }

    /// - Returns: the exit status; what the export left or found, nil if there is nothing to say; what introduces the
    ///   command that continues.
    private static func words(_ verdict: ExportVerdict) -> (status: Int32, detail: String?, next: String?) {
        switch verdict {
        case .complete: (ExitStatus.complete, nil, nil)
        case .completeWithFindings(let findings): (ExitStatus.completeWithFindings, "found: \(list(findings))", nil)
        case .incomplete(let rest): (ExitStatus.incomplete, "left: \(list(rest))", "The same command continues:")
        case .needsPerson(let pages):
            (
                ExitStatus.needsPerson, "left: \(count(pages, "page")) in doubt, which a person has to resolve",
                "Calling the export again changes nothing before that. Afterwards the same command continues:"
            )
        case .interrupted(let signal): (ExitStatus.interrupted(by: signal), nil, "The same command continues:")
        case .unreachable: (ExitStatus.unreachable, nil, "When the API is back, the same command continues:")
        case .credentialsRefused:
            (
                ExitStatus.credentialsRefused, nil,
                "Check the token (stored-actions check), then run the same command again:"
            )
        case .invalidSetting: (ExitStatus.invalidSetting, nil, nil)
        }
    }

    private static func reason(_ ending: Ending, account: String?) -> String? {
        switch ending {
        case .finished: nil
        case .timeLimit(nil): "the time limit was reached"
        case .timeLimit(let date?):
            "nothing more can be done within the time limit; come back at \(date.formatted(.iso8601))"
        case .interrupted(let signal): "interrupted by signal \(signal)"
        case .invalidSetting(let reason): reason
        case .credentialsRefused(let detail):
            "the API refused the credentials" + (detail.isEmpty ? "" : ": \(detail.prefix(200))")
        case .otherAccount(let action):
            "the token does not see stored action \(action.lowercase), of which account "
                + "\"\(account ?? ZapierAccount.standard.name)\" has results: is it the token of another account? "
                + "Nothing was recorded of runs answered with 404 or 403"
        case .apiUnreachable(let reason): "the API cannot be reached: \(reason.text)"
        case .apiFailing(let reason, nil): "the API fails for all requests: \(reason)"
        case .apiFailing(let reason, let date?):
            "the API fails for all requests: \(reason); come back at \(date.formatted(.iso8601))"
        }
    }

    /// Of an export that an error, a signal or the time limit broke off.
    private static func outcome(ofFailure status: Int32) -> ExportOutcome {
        switch status {
        case ExitStatus.incomplete: .incomplete
        case 129...: .interrupted
        default: .failed
        }
    }

    // MARK: Lists

    private static func list(_ rest: ExportVerdict.Rest) -> String {
        var parts = list(rest.outcomes)
        if rest.openChains > 0 { parts.append(count(rest.openChains, "chain") + " without an end") }
        if rest.pagesInDoubt > 0 { parts.append(count(rest.pagesInDoubt, "page") + " in doubt") }
        if rest.hasPagesToRefetch { parts.append("pages to fetch again") }
        return parts.joined(separator: ", ")
    }

    private static func list(_ findings: ExportVerdict.Findings) -> String {
        var parts = list(findings.outcomes)
        if findings.truncatedChains > 0 { parts.append(count(findings.truncatedChains, "truncated chain")) }
        if findings.rejects > 0 { parts.append(count(findings.rejects, "reject")) }
        if findings.isOfDoubtfulAccount { parts.append("404 for every run, young ones included") }
        return parts.joined(separator: ", ")
    }

    private static func list(_ outcomes: [Outcome: Int]) -> [String] {
        Outcome.allCases.compactMap { outcome in outcomes[outcome].map { "\($0) \(outcome.rawValue)" } }
    }
}

extension Ending.Silence {
    fileprivate var text: String {
        switch self {
        case .failed(let reason): reason
        case .blocked(let status):
            "a proxy or firewall before the API answers \(status.map { "\($0)" } ?? "401 or 403") with a page of its own"
        case .unanswered: "it answered none of the requests"
        }
    }
}
