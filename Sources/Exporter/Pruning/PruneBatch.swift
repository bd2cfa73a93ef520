import ExportCore

/// How much one transaction of a prune takes: it holds locks that a running export may wait for.
struct PruneBatch: Sendable {
    var runs = 500
    /// Of results and errors.
    var rows = 10_000
    /// Of whole bodies.
    var bytes = 64 << 20

    struct Candidate: Sendable, Equatable {
        var key: RunKey
        var rows: Int
        var bytes: Int
    }

    /// The first candidates that are a batch together; one alone may be larger.
    func cut(_ candidates: [Candidate]) -> [RunKey] {
        var (rows, bytes) = (0, 0)
        let fitting = candidates.prefix(runs).prefix { candidate in
            rows += candidate.rows
            bytes += candidate.bytes
            return rows <= self.rows && bytes <= self.bytes
        }
        return (fitting.isEmpty ? candidates.prefix(1) : fitting).map(\.key)
    }
}
