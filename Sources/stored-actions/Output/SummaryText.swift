import ExportCore
import Exporter
import Foundation

/// An export's summary for people: what came of the runs, what it took, and what to do next.
struct SummaryText {
    let text: String
    let end: EndText

    init(summary: Summary, command: ContinuingCommand) {
        end = EndText(summary.end, account: summary.account)
        var paragraphs = [Self.headline(summary, end)]
        if summary.exportID != nil {
            paragraphs += [Self.outcomes(summary.runs), Self.figures(summary)]
        }
        let todo = Self.todo(summary, end, command)
        if !todo.isEmpty { paragraphs.append(todo.joined(separator: "\n")) }
        text = paragraphs.joined(separator: "\n\n")
    }

    private static func headline(_ summary: Summary, _ end: EndText) -> String {
        let number = summary.exportID.map { " \($0)" } ?? ""
        let names = summary.manifests.isEmpty ? "unfinished runs" : summary.manifests.joined(separator: ", ")
        let reason = end.reason.map { ": \($0)" } ?? ""
        let account = summary.account.flatMap { $0 == ZapierAccount.standard.name ? nil : " of account \($0)" } ?? ""
        return "export\(number) of \(names)\(account): \(end.outcome.rawValue)\(reason) (exit status \(end.status))"
            .shownOnOneLine
    }

    private static func outcomes(_ runs: Summary.Runs) -> String {
        var rows = Outcome.allCases.compactMap { outcome -> [String]? in
            let number = runs.outcomes[outcome] ?? 0
            return number == 0 ? nil : [outcome.rawValue, grouped(number), outcome.meaning]
        }
        let settled = runs.alreadySettled > 0 ? "\(grouped(runs.alreadySettled)) of them settled before" : ""
        rows.append(["runs", grouped(runs.items), settled])
        return aligned(rows, indent: "  ")
    }

    private static func figures(_ summary: Summary) -> String {
        let (stored, requests) = (summary.stored, summary.requests)
        // Requests without an answer come last.
        let byStatus = requests.byStatus.sorted { $0.key ?? .max < $1.key ?? .max }
            .map { "\(grouped($0.value)) × \($0.key.map(String.init) ?? "no answer")" }
            .joined(separator: ", ")
        var rows = [
            ["stored", "\(count(stored.results, "result")), \(count(stored.errors, "partner error"))"],
            ["requests", grouped(requests.total) + (byStatus.isEmpty ? "" : " (\(byStatus))")],
            [
                "time",
                "\(seconds(summary.duration)) s, \(seconds(requests.waitedForBudget)) s of it waiting for the rate window",
            ],
        ]
        if let chains = ChainText.figures(summary.chains) { rows.append(["chains", chains]) }
        if stored.rejects > 0 {
            rows.append([
                "refused", "\(count(stored.rejects, "part")) of answers that PostgreSQL would not take: see rejects",
            ])
        }
        if summary.runs.kept > 0 {
            rows.append([
                "kept", "\(count(summary.runs.kept, "run")) gave nothing better this time: what was stored stays",
            ])
        }
        return aligned(rows, indent: "  ", numbersRight: false)
    }

    private static func todo(_ summary: Summary, _ end: EndText, _ command: ContinuingCommand) -> [String] {
        var lines: [String] = []
        if summary.runs.onlyNotFound {
            lines.append(
                "Every answer about a run that is not past its time was 404: are this API address and this token those "
                    + "of the account that ran the actions?"
            )
        }
        lines += ChainText.inDoubt(
            summary.chains.inDoubt, of: summary.chains.ended[.submitUnknown] ?? 0, settings: command.database)
        lines += ChainText.left(summary.chains)
        if summary.isLeftToManifests {
            lines += ["An export of their own manifests, with the inputs they began with, goes on with these chains."]
        } else if let next = end.next {
            lines += [next, "  \(command.text)"]
        }
        let elsewhere = summary.elsewhere
        if elsewhere.runs > 0 {
            let expiry = elsewhere.soonestExpiry.map { ", the first expires \($0.formatted(.iso8601))" } ?? ""
            lines += [
                "Of earlier manifests \(count(elsewhere.runs, "run")) "
                    + "\(elsewhere.runs == 1 ? "is" : "are") unsettled\(expiry). To fetch them:",
                "  \(command.unfinished)",
            ]
        }
        return lines
    }

    private static func seconds(_ value: Double) -> String {
        value.formatted(.number.precision(.fractionLength(1)).locale(Locale(identifier: "en_US")))
    }
}

extension Summary {
    /// All that is left are chains whose inputs this export does not have.
    fileprivate var isLeftToManifests: Bool {
        guard case .ended(.finished, .incomplete(let rest)) = end else { return false }
        let reasons: Set = [ChainLeft.Reason.inputsMissing, .inputsDiffer]
        return rest.openChains > 0 && rest.openChains == chains.left.count && rest.pagesInDoubt == 0
            && chains.left.allSatisfy { $0.leftFor.map(reasons.contains) ?? false }
            && !runs.outcomes.contains { !$0.isFinal && $1 > 0 }
    }
}

extension Outcome {
    fileprivate var meaning: String {
        switch self {
        case .success: ""
        case .error: "the partner's app failed: see errors"
        case .expired: "the API has no result any more: see expired_runs"
        case .notFound: "unknown to the API, though younger than seven days"
        case .forbidden: "this token may not read them"
        case .rejected: "the API rejected the request; see api_errors"
        case .waiting: "not finished, wait for a person or a callback"
        case .pending: "not finished"
        case .failed: "could not be fetched this time; see runs.failure"
        case .queued: "not asked for yet"
        }
    }
}
