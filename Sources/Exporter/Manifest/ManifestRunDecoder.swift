import Foundation

/// Reads runs back from their records, with the settings of their stored actions.
///
/// Runs of one stored action and of one manifest mostly follow one another, so what they share is kept from one run to
/// the next.
struct ManifestRunDecoder {
    /// What the run before got from its stored action, and which manifest names it.
    private struct Shared {
        var head: RunRecordHead
        var settings: ManifestSettings?
        var pages: PageSettings
        var manifests: [Int]
    }

    private let storedActions: [UUID: ManifestSettings]
    private var shared: Shared?

    init(storedActions: [UUID: ManifestSettings]) {
        self.storedActions = storedActions
    }

    mutating func run(decoding record: UnsafeRawBufferPointer) throws -> ManifestRun {
        let head = try RunRecordHead(record)
        let shared = shared(by: head)
        guard head.hasRest else {
            return ManifestRun(
                key: head.key, executedAt: head.executedAt, pages: shared.pages, label: shared.settings?.label,
                manifests: shared.manifests)
        }
        let run = try SpooledRun(decoding: record)
        let settings = run.settings.over(shared.settings)
        let manifests = run.otherSources.isEmpty ? shared.manifests : ([head.source] + run.otherSources).sorted()
        return ManifestRun(
            key: run.key, executedAt: run.executedAt, pages: settings.pageSettings, label: settings.label,
            manifests: manifests)
    }

    private mutating func shared(by head: RunRecordHead) -> Shared {
        if let shared, shared.head.storedActionID == head.storedActionID, shared.head.source == head.source {
            return shared
        }
        let settings = storedActions[head.key.storedActionID]
        let new = Shared(
            head: head, settings: settings, pages: (settings ?? ManifestSettings()).pageSettings,
            manifests: [head.source])
        shared = new
        return new
    }
}
