import Exporter
import Foundation

/// What `status` shows to people: what needs them, the exports, and what is left to do.
struct StatusText {
    let text: String

    /// - Parameters:
    ///   - ofOne: the history is that of one export.
    ///   - settings: what the commands take besides, with a space before it.
    init(_ history: ExportHistory, attention: Attention, ofOne: Bool, settings: String) {
        var paragraphs: [String] = []
        if !attention.points.isEmpty {
            paragraphs.append(
                (["needs attention:"] + attention.points.map { "  \($0)".shownOnOneLine }).joined(separator: "\n"))
        }
        paragraphs.append(Self.exports(history, ofOne: ofOne))
        guard !history.exports.isEmpty else {
            text = paragraphs.joined(separator: "\n\n")
            return
        }
        paragraphs += [Self.health(history), Self.left(history, settings: settings)].filter { !$0.isEmpty }
        text = paragraphs.joined(separator: "\n\n")
    }

    // MARK: Exports

    private static func exports(_ history: ExportHistory, ofOne: Bool) -> String {
        guard !history.exports.isEmpty else { return "no export has run yet" }
        let header = ["export", "started", "manifests", "outcome", "runs", "requests", "reason"]
        let rows = history.exports.map { row($0, at: history.readAt) }
        var lines = [aligned([rows.allSatisfy { $0.last == "" } ? Array(header.dropLast()) : header] + rows)]
        if ofOne, let only = history.exports.first, !only.outcomes.isEmpty {
            lines.append("")
            lines.append(
                aligned(only.outcomes.sorted { $0.key < $1.key }.map { [$0.key, grouped($0.value)] }, indent: "  "))
        }
        return lines.joined(separator: "\n")
    }

    private static func row(_ export: ExportHistory.Export, at now: Date) -> [String] {
        let status = export.exitStatus.map { " (\($0))" } ?? ""
        return [
            String(export.exportID), export.startedAt.formatted(.iso8601),
            export.manifests.isEmpty ? "--unfinished" : export.manifests.joined(separator: ", "),
            export.outcome + status, grouped(export.items), grouped(export.requests), reason(export, at: now),
        ]
    }

    private static func reason(_ export: ExportHistory.Export, at now: Date) -> String {
        guard let isAlive = export.isAlive else { return export.reason ?? "" }
        let process = export.processID.map { "process \($0) on \(export.host)" } ?? "on \(export.host)"
        guard isAlive else { return "not alive: \(process) holds no lock; the next export of the manifest closes it" }
        let progress = export.progressAt.map { ", stored something \(ago($0, now))" } ?? ""
        return "alive: \(process)\(progress)"
    }

    // MARK: Health

    private static func health(_ history: ExportHistory) -> String {
        var lines: [String] = []
        if let time = history.apiAnsweredAt {
            lines.append("the API last answered \(ago(time, history.readAt)), at \(time.formatted(.iso8601))")
        }
        for lock in history.locks {
            let application = lock.application.map { ", application \($0)" } ?? ""
            let connection = lock.connectedAt.map { ", connected since \($0.formatted(.iso8601))" } ?? ""
            let held = "the lock of \"\(lock.name)\" is held \(lock.description)\(application)\(connection)"
            lines.append(held.shownOnOneLine)
        }
        if !history.left.failures.isEmpty {
            lines.append("the commonest failures:")
            lines.append(
                aligned(history.left.failures.map { [grouped($0.runs), $0.outcome, $0.failure] }, indent: "  "))
        }
        return lines.joined(separator: "\n")
    }

    private static func ago(_ time: Date, _ now: Date) -> String {
        spoken(.seconds(now.timeIntervalSince(time))) + " ago"
    }

    // MARK: What is left

    private static func left(_ history: ExportHistory, settings: String) -> String {
        let left = history.left
        var lines = ChainText.inDoubt(left.chainsInDoubt, of: left.chainsInDoubtCount, settings: settings)
        guard left.runs > 0 || left.openChains > 0 else {
            return (lines.isEmpty ? ["nothing is left to do"] : lines).joined(separator: "\n")
        }
        if left.runs > 0 {
            let outcomes = left.outcomes.sorted { $0.key < $1.key }.map { "\(grouped($0.value)) \($0.key)" }
            let total = (left.hasMoreRuns ? "over " : "") + count(left.runs, "run")
            let counted = left.hasMoreRuns ? "of the first \(grouped(left.runs)): " : ""
            lines.append("left to do: \(total) (\(counted)\(outcomes.joined(separator: ", ")))")
        }
        if left.openChains > 0 {
            lines.append("left to follow: \(count(left.openChains, "chain")) of pages")
        }
        if !left.nextToExpire.isEmpty {
            lines.append("next to expire:")
            lines.append(
                aligned(
                    left.nextToExpire.map { run in
                        [
                            "in " + spoken(.seconds(run.expiresAt.timeIntervalSince(history.readAt))), run.outcome,
                            "run \(run.runID) of stored action \(run.storedActionID)",
                        ]
                    }, indent: "  "))
        }
        lines.append("to fetch them: stored-actions export --unfinished" + settings)
        return lines.joined(separator: "\n")
    }
}
