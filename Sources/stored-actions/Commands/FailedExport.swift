import Exporter

/// The summary of an export that could not be carried through, with what stood in the way.
struct FailedExport: Encodable, Sendable {
    private var summary: Summary
    private var cause: any Encodable & Sendable

    static func failure(_ failure: Failure, outcome: String) -> Failure {
        let summary = Summary(manifests: [], outcome: outcome, exitStatus: failure.status)
        return Failure(failure.status, failure.text, json: FailedExport(summary: summary, cause: failure.json))
    }

    func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        try cause.encode(to: encoder)
    }
}
