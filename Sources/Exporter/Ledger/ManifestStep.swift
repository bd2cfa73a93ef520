import ExportCore
import Foundation

/// The manifests' next runs, as one step of opening an export needs them.
struct ManifestStep: Sendable {
    let runs: OpeningStore.NamedRuns
    /// Those whose manifest asks for their pages, by their indexes among the runs.
    let roots: [Int: Root]
    /// Where the next step begins; nil behind the last run.
    let next: Int?

    struct Root: Sendable {
        var run: ManifestRun
        /// Where the manifests have it.
        var position: Int
    }

    /// - Throws: `SpoolError`.
    init(_ manifests: Manifests, from position: Int, limit: Int) throws {
        var runs: [OpeningStore.Named] = []
        var roots: [Int: Root] = [:]
        next = try manifests.forEachRun(from: position, limit: limit) { run, position in
            if run.pages.followPages { roots[runs.count] = Root(run: run, position: position) }
            runs.append(OpeningStore.Named(key: run.key, executedAt: run.executedAt))
        }
        self.runs = OpeningStore.NamedRuns(runs)
        self.roots = roots
    }

    /// The roots in key order.
    var sortedRoots: [Root] { roots.sorted { $0.key < $1.key }.map(\.value) }
}
