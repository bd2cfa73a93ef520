import Exporter

/// The summary of an export that could not be carried through, with what stood in the way.
struct FailedExport: Encodable, Sendable {
    private let summary: SummaryJSON
    private let cause: any Encodable & Sendable

    /// - Parameter manifests: as the command names them; their own names may not be known.
    init(_ failure: Failure, manifests: [String]) {
        var summary = failure.summary ?? Summary(manifests: manifests, end: .failed(failure))
        // What ended the call is known only now: a signal, or the time limit.
        summary.end = .failed(failure)
        self.summary = SummaryJSON(summary: summary)
        cause = failure.json
    }

    func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        try cause.encode(to: encoder)
    }
}
