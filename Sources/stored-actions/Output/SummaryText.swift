import ExportCore
import Exporter
import Foundation

/// An export's summary for people: what came of the runs, what it took, and what to do next.
struct SummaryText {
    let text: String

    init(summary: Summary, command: ContinuingCommand) {
        var paragraphs = [Self.headline(summary)]
        if summary.exportID != nil {
            paragraphs += [Self.outcomes(summary), Self.figures(summary)]
        }
        let todo = Self.todo(summary, command: command)
        if !todo.isEmpty { paragraphs.append(todo.joined(separator: "\n")) }
        text = paragraphs.joined(separator: "\n\n")
    }

    private static func headline(_ summary: Summary) -> String {
        let number = summary.exportID.map { " \($0)" } ?? ""
        let names = summary.manifests.isEmpty ? "unfinished runs" : summary.manifests.joined(separator: ", ")
        let reason = summary.reason.map { ": \($0)" } ?? ""
        let account = summary.account.flatMap { $0 == ZapierAccount.standard.name ? nil : " of account \($0)" } ?? ""
        return "export\(number) of \(names)\(account): \(summary.outcome)\(reason) (exit status \(summary.exitStatus))"
            .shownOnOneLine
    }

    private static func outcomes(_ summary: Summary) -> String {
        var rows = Outcome.allCases.compactMap { outcome -> [String]? in
            let number = summary.outcomes[outcome.rawValue] ?? 0
            return number == 0 ? nil : [outcome.rawValue, grouped(number), outcome.meaning]
        }
        let settled = summary.alreadySettled > 0 ? "\(grouped(summary.alreadySettled)) of them settled before" : ""
        rows.append(["runs", grouped(summary.items), settled])
        return aligned(rows, indent: "  ")
    }

    private static func figures(_ summary: Summary) -> String {
        let byStatus = summary.requests.byStatus.sorted { $0.key < $1.key }
            .map { "\(grouped($0.value)) × \($0.key == "none" ? "no answer" : $0.key)" }
            .joined(separator: ", ")
        var rows = [
            ["stored", "\(count(summary.results, "result")), \(count(summary.errors, "partner error"))"],
            [
                "requests",
                grouped(summary.requests.total) + (byStatus.isEmpty ? "" : " (\(byStatus))"),
            ],
            [
                "time",
                "\(seconds(summary.duration)) s, \(seconds(summary.waitedForBudget)) s of it waiting for the rate window",
            ],
        ]
        if let chains = ChainText.figures(summary) { rows.append(["chains", chains]) }
        if summary.rejects > 0 {
            rows.append([
                "refused", "\(count(summary.rejects, "part")) of answers that PostgreSQL would not take: see rejects",
            ])
        }
        if summary.kept > 0 {
            rows.append(["kept", "\(count(summary.kept, "run")) gave nothing better this time: what was stored stays"])
        }
        return aligned(rows, indent: "  ", numbersRight: false)
    }

    private static func todo(_ summary: Summary, command: ContinuingCommand) -> [String] {
        var lines: [String] = []
        if summary.onlyNotFound {
            lines.append(
                "Every answer about a run that is not past its time was 404: are this API address and this token those "
                    + "of the account that ran the actions?"
            )
        }
        lines += ChainText.inDoubt(
            summary.chainsInDoubt, of: summary.chains[EndReason.submitUnknown.rawValue] ?? 0,
            settings: command.database)
        lines += ChainText.left(summary)
        switch summary.exitStatus {
        case ExitStatus.credentialsRefused:
            lines += ["Check the token (stored-actions check), then run the same command again:", "  \(command.text)"]
        case ExitStatus.unreachable:
            lines += ["When the API is back, the same command continues:", "  \(command.text)"]
        case ExitStatus.needsPerson:
            lines += ["Calling the export again changes nothing before that. Afterwards the same command continues:"]
            lines += ["  \(command.text)"]
        case ExitStatus.incomplete where summary.isLeftToManifests:
            lines += ["An export of their own manifests, with the inputs they began with, goes on with these chains."]
        case ExitStatus.incomplete, 129...:
            lines += ["The same command continues:", "  \(command.text)"]
        default: break
        }
        if summary.unfinishedElsewhere > 0 {
            let expiry = summary.soonestExpiryElsewhere.map { ", the first expires \($0.formatted(.iso8601))" } ?? ""
            lines += [
                "Of earlier manifests \(count(summary.unfinishedElsewhere, "run")) "
                    + "\(summary.unfinishedElsewhere == 1 ? "is" : "are") unsettled\(expiry). To fetch them:",
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
        let reasons: Set = ["inputs_missing", "inputs_differ"]
        return openChains > 0 && openChains == chainsLeft.count
            && chainsLeft.allSatisfy { $0.leftFor.map(reasons.contains) ?? false } && !hasUnfinishedRuns
            && chains[EndReason.submitUnknown.rawValue] == nil && reason == nil
    }

    private var hasUnfinishedRuns: Bool {
        Outcome.allCases.contains { !$0.isFinal && (outcomes[$0.rawValue] ?? 0) > 0 }
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
