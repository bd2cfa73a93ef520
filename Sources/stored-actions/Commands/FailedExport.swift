import ExportCore
import Exporter

/// The summary of an export that could not be carried through, with what stood in the way.
struct FailedExport: Encodable, Sendable {
    private var summary: Summary
    private var cause: any Encodable & Sendable

    /// - Parameter manifests: as the command names them; their own names may not be known.
    init(_ failure: Failure, manifests: [String]) {
        let outcome = ExitStatus.exportOutcome(failure.status)
        summary = failure.summary ?? Summary(manifests: manifests, outcome: outcome, exitStatus: failure.status)
        // What ended the call is known only now: a signal, or the time limit.
        summary.outcome = outcome
        summary.exitStatus = failure.status
        cause = failure.json
    }

    func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        try cause.encode(to: encoder)
    }
}
