import ArgumentParser
import Exporter
import Foundation
import Postgres

struct Status: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Shows past exports, what is left to do, and what expires next.",
        discussion: """
            EXAMPLE
              stored-actions status --export 12
            """)

    @Option(help: ArgumentHelp("Show this export alone.", valueName: "id"))
    var export: Int?

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    private struct Result: Encodable, Sendable {
        var exitStatus: Int32 = 0
        var exports: [ExportHistory.Export]
        var left: ExportHistory.Left

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case exports, left
        }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let configuration = try SettingSources(database: database).database().value
        let now = Date()
        let result = try await PostgresSession.withSession(configuration) { session in
            try await Migrator(toolVersion: toolVersion).requireUpToDate(on: session)
            let history = ExportHistory(session: session)
            return Result(
                exports: try await history.exports(id: export), left: try await history.left(ofExport: export, at: now))
        }
        if let export, result.exports.isEmpty {
            throw Failure(ExitStatus.usage, "there is no export \(export): stored-actions status lists them")
        }
        return Report(text: text(result, at: now), json: result)
    }

    private func text(_ result: Result, at now: Date) -> String {
        guard !result.exports.isEmpty else { return "no export has run yet" }
        var paragraphs = [
            aligned([["export", "started", "manifests", "outcome", "runs", "requests"]] + result.exports.map(row))
        ]
        if export != nil, let only = result.exports.first {
            paragraphs.append(
                aligned(only.outcomes.sorted { $0.key < $1.key }.map { [$0.key, grouped($0.value)] }, indent: "  "))
        }
        paragraphs.append(left(result.left, at: now))
        return paragraphs.joined(separator: "\n\n")
    }

    private func row(_ export: ExportHistory.Export) -> [String] {
        let status = export.exitStatus.map { " (\($0))" } ?? ""
        return [
            String(export.exportID), export.startedAt.formatted(.iso8601),
            export.manifests.isEmpty ? "--unfinished" : export.manifests.joined(separator: ", "),
            export.outcome + status, grouped(export.items), grouped(export.requests),
        ]
    }

    private func left(_ left: ExportHistory.Left, at now: Date) -> String {
        let settings = database.databaseURL.map { " --database-url " + shellQuoted($0) } ?? ""
        var lines = ChainText.inDoubt(left.chainsInDoubt, of: left.chainsInDoubtCount, settings: settings)
        guard left.runs > 0 || left.openChains > 0 else {
            return (lines.isEmpty ? ["nothing is left to do"] : lines).joined(separator: "\n")
        }
        if left.runs > 0 {
            let outcomes = left.outcomes.sorted { $0.key < $1.key }.map { "\(grouped($0.value)) \($0.key)" }
            lines.append("left to do: \(count(left.runs, "run")) (\(outcomes.joined(separator: ", ")))")
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
                            "in " + spoken(.seconds(run.expiresAt.timeIntervalSince(now))), run.outcome,
                            "run \(run.runID) of stored action \(run.storedActionID)",
                        ]
                    }, indent: "  "))
        }
        lines.append("to fetch them: stored-actions export --unfinished" + settings)
        return lines.joined(separator: "\n")
    }
}
