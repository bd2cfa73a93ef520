import ActionsAPI
import ActionsHTTP
import ExportCore
import Exporter
import Foundation
import Postgres

/// Why a subcommand could not do its work: an exit status, and for people what happened and what to do about it.
struct Failure: Error {
    let status: Int32
    /// One line each.
    private let lines: [String]
    /// What `--json` prints on stdout.
    let json: any Encodable & Sendable
    /// What an export had done before it failed.
    var summary: Summary?

    private struct Object: Encodable {
        var exitStatus: Int32
        var error: String

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case error
        }
    }

    /// - Parameter text: one line; line breaks in it are somebody else's, and shown as escapes.
    init(_ status: Int32, _ text: String, json: (any Encodable & Sendable)? = nil) {
        self.init(status, lines: [text], json: json)
    }

    private init(_ status: Int32, lines: [String], json: (any Encodable & Sendable)?) {
        self.status = status
        self.lines = lines
        self.json = json ?? Object(exitStatus: status, error: lines.joined(separator: "\n"))
    }

    var text: String { lines.joined(separator: "\n") }

    /// The text for a terminal or a log.
    var shown: String { lines.map(\.shownOnOneLine).joined(separator: "\n") }

    /// For a process that a signal ends.
    init(interruptedBy signal: Int32, summary: Summary? = nil) {
        self.init(
            ExitStatus.interrupted(by: signal), "interrupted: what was stored stays; the same command continues")
        self.summary = summary
    }

    /// - Returns: nil if the error is no consequence of the signal.
    init?(_ error: any Error, ifCancelledBy signal: Int32) {
        guard Self.isCancellation(error) else { return nil }
        self.init(interruptedBy: signal, summary: (error as? BrokenOffExport)?.summary)
    }

    static func isCancellation(_ error: any Error) -> Bool {
        let error = (error as? BrokenOffExport)?.cause ?? error
        return error is CancellationError || (error as? PostgresError)?.kind == .cancelled
    }

    init(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as BrokenOffExport:
            self.init(error.cause)
            summary = error.summary
        case let error as SettingError:
            self.init(error.isOption ? ExitStatus.usage : ExitStatus.invalidSetting, error.description)
        case let error as ManifestProblems: self.init(error)
        default: self.init(ExitStatus.of(error), Self.text(error))
        }
    }

    private static func text(_ error: any Error) -> String {
        switch error {
        case let error as SpoolError: "\(error): the temporary directory (TMPDIR) must have room for a manifest"
        case let error as ExportLock.Taken: text(error)
        case let error as ExportHistory.Locked: "\(error): try again once it has ended"
        case let error as SchemaProblem: error.description
        case let error as PostgresError: text(error)
        case let error as TokenError where error.kind == .unreachable: "the API cannot be reached: \(error)"
        case let error as TokenError where error.kind == .refused: "the API refused the credentials: \(error)"
        case let error as TokenError: error.reason
        case let error as TransportError: "the API cannot be reached: \(error)"
        case let error as Exporter.AccountingError: "accounting mismatch (this is a bug): \(error)"
        default: "unexpected failure, which is a bug: \(error)"
        }
    }

    private static func text(_ taken: ExportLock.Taken) -> String {
        guard let holder = taken.holder, let reason = holder.hangs else {
            let who = taken.holder.map { " (\($0.description))" } ?? ""
            return
                "another export of \"\(taken.name)\" is running\(who): wait for it, or use --if-locked wait or skip"
        }
        return
            "the export of \"\(taken.name)\" that is running hangs (\(holder.description)): \(reason). End its process; "
            + "if that is gone, its session: select pg_terminate_backend(\(holder.serverProcess))"
    }

    private static func text(_ error: PostgresError) -> String {
        switch error.kind {
        case .unreachable, .connectionLost, .commitUnknown, .shutdown, .resources, .conflict:
            "the database cannot be reached or cannot work (what was stored stays; the same command continues): \(error)"
        case .lockNotAvailable: "\(error): another session holds a lock on the tables; try again"
        case .authentication: "the database refused the login: \(error)"
        case .permission: "the database role may not do this: \(error)"
        case .rowsDropped: "a trigger of the database keeps out what an export writes: \(error)"
        case .data where error.isSchemaFault, .other where error.isSchemaFault:
            "the schema stored_actions was changed by hand and is not as migrate made it: \(error)"
        case .other where error.isDatabasePolicy:
            "a trigger of the database refuses what an export writes: \(error)"
        case .cancelled: "interrupted: \(error)"
        case .timeLimit where error.timeLimit == nil:
            "a statement was cancelled in the database (what was stored stays; the same command continues): \(error)"
        case .timeLimit:
            "a time limit of the database's settings ended a statement (what was stored stays; the same command "
                + "continues): \(error)"
        case .setting: "the database setting is wrong: \(error)"
        case .other where ExitStatus.of(error) == ExitStatus.invalidSetting: "the database setting is wrong: \(error)"
        case .data, .other: "unexpected answer of the database: \(error)"
        }
    }

    private struct Problems: Encodable {
        struct Problem: Encodable {
            var source: String
            var place: String
            var message: String
        }

        var exitStatus = ExitStatus.invalidManifest
        var error: String
        var problems: [Problem]
        var problemCount: Int

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case error, problems
            case problemCount = "problem_count"
        }
    }

    private init(_ error: ManifestProblems) {
        let shown = error.problems.prefix(100)
        let count = error.totalCount == 1 ? "1 problem" : "\(error.totalCount) problems"
        let headline = "the manifest is invalid: \(count); nothing was fetched and nothing written"
        var lines = [headline] + shown.map { "  \($0.description)" }
        if error.totalCount > shown.count { lines.append("  … and \(error.totalCount - shown.count) more") }
        self.init(
            ExitStatus.invalidManifest, lines: lines,
            json: Problems(
                error: headline,
                problems: error.problems.map { .init(source: $0.source, place: $0.place, message: $0.message) },
                problemCount: error.totalCount))
    }
}
