import ExportCore
import Foundation

/// A run that is to be exported.
package struct ManifestRun: Sendable, Hashable {
    package var key: RunKey
    /// When it was started, if the manifest says so.
    package var executedAt: Date?
    package var pages: PageSettings
    /// Its stored action's.
    package var label: String?
    /// The manifests that name it, as indexes of `Manifests.list`, ascending.
    package var manifests: [Int]
}

/// The valid manifests of one call, read whole. Runs wait in a temporary file without a name, which goes with this
/// value.
package struct Manifests: Sendable {
    package struct Manifest: Sendable, Hashable {
        /// 1…200 characters, none of them a control character; no two manifests of a call have the same.
        package var name: String
        /// The path as given, or "standard input".
        package var source: String
        /// Of the bytes read, in lower-case hexadecimal digits.
        package var sha256: String
        /// How many different runs it names.
        package var items: Int
    }

    /// In the order of the sources.
    package let list: [Manifest]
    /// What the manifests' `stored_actions` say, merged, with the labels of runs.
    package let storedActions: [UUID: ManifestSettings]
    /// How many different runs there are in all.
    package let runCount: Int
    /// What may be wrong with them all the same, for people.
    package let warnings: [ManifestProblem]

    private let runs: Spool

    init(
        list: [Manifest], storedActions: [UUID: ManifestSettings], runCount: Int, warnings: [ManifestProblem] = [],
        runs: Spool
    ) {
        self.list = list
        self.storedActions = storedActions
        self.runCount = runCount
        self.warnings = warnings
        self.runs = runs
    }

    /// Calls `body` once for each run, in key order. The memory used does not depend on the number of runs. May be called
    /// again.
    /// - Throws: what `body` throws, and `SpoolError` when the temporary file can't be read.
    package func forEachRun(_ body: (ManifestRun) throws -> Void) throws {
        try forEachRunAndPosition { run, _ in try body(run) }
    }

    /// The same, with the position by which `run(at:)` finds the run again.
    func forEachRunAndPosition(_ body: (ManifestRun, Int) throws -> Void) throws {
        _ = try forEachRun(from: 0, limit: .max, body)
    }

    /// The same for some of the runs, so that a caller can do something else in between.
    /// - Parameters:
    ///   - position: 0, or what the call before returned.
    ///   - limit: how many runs to hand over, at least 1.
    /// - Returns: where to go on; nil after the last run.
    func forEachRun(from position: Int, limit: Int, _ body: (ManifestRun, Int) throws -> Void) throws -> Int? {
        var decoder = ManifestRunDecoder(storedActions: storedActions)
        var rest = limit
        let end = try runs.scan(from: position) { record, position in
            try body(decoder.run(decoding: record), position)
            rest -= 1
            return rest > 0
        }
        return end < runs.byteCount ? end : nil
    }

    /// - Parameter position: of a run, from `forEachRunAndPosition`.
    func run(at position: Int) throws -> ManifestRun {
        var decoder = ManifestRunDecoder(storedActions: storedActions)
        return try runs.record(at: position).withUnsafeBytes { try decoder.run(decoding: $0) }
    }
}
