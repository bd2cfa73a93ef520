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

    /// - Parameter text: one line; line breaks in it come from quoted text, and are shown as escapes.
    init(_ status: Int32, _ text: String, json: (any Encodable & Sendable)? = nil) {
        self.init(status, lines: [text], json: json)
    }

    /// - Parameter lines: one line each.
    init(_ status: Int32, lines: [String], json: (any Encodable & Sendable)?) {
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

    /// - Returns: nil if the error is not a consequence of the signal.
    init?(_ error: any Error, ifCancelledBy signal: Int32) {
        guard Self.isCancellation(error) else { return nil }
        self.init(interruptedBy: signal, summary: (error as? BrokenOffExport)?.summary)
    }

    static func isCancellation(_ error: any Error) -> Bool {
        let error = (error as? BrokenOffExport)?.cause ?? error
        return error is CancellationError || (error as? PostgresError)?.kind == .cancelled
    }
}
