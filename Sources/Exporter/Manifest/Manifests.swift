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

    /// Calls `body` once for each run, in an order that depends on the manifests alone. The memory used does not
    /// depend on the number of runs. May be called again.
    /// - Throws: what `body` throws, and `SpoolError` when the temporary file can't be read.
    package func forEachRun(_ body: (ManifestRun) throws -> Void) throws {
        try runs.forEachRecord { try body(run(decoding: $0)) }
    }

    /// The same, with the position by which `run(at:)` finds the run again.
    func forEachRunAndPosition(_ body: (ManifestRun, Int) throws -> Void) throws {
        try runs.forEachRecordAndPosition { try body(run(decoding: $0), $1) }
    }

    /// - Parameter position: of a run, from `forEachRunAndPosition`.
    func run(at position: Int) throws -> ManifestRun {
        try run(decoding: runs.record(at: position))
    }

    private func run(decoding record: ArraySlice<UInt8>) throws -> ManifestRun {
        let run = try SpooledRun(decoding: record)
        let settings = run.settings.over(storedActions[run.key.storedActionID])
        return ManifestRun(
            key: run.key, executedAt: run.executedAt, pages: settings.pageSettings, label: settings.label,
            manifests: run.sources.sorted())
    }
}
