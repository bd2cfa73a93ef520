import Foundation

/// Reads runs back from their records, with the settings of their stored actions.
///
/// Runs of one stored action and of one manifest mostly follow one another, so what they share is kept from one run to
/// the next.
struct ManifestRunDecoder {
    /// What a run without settings of its own has.
    private struct Shared {
        var head: RunRecordHead
        var pages: PageSettings
        var label: String?
        var manifests: [Int]
    }

    private let storedActions: [UUID: ManifestSettings]
    private var shared: Shared?

    init(storedActions: [UUID: ManifestSettings]) {
        self.storedActions = storedActions
    }

    mutating func run(decoding record: UnsafeRawBufferPointer) throws -> ManifestRun {
        let head = try RunRecordHead(record)
        if head.hasRest {
            let run = try SpooledRun(decoding: record)
            let settings = run.settings.over(storedActions[run.key.storedActionID])
            return ManifestRun(
                key: run.key, executedAt: run.executedAt, pages: settings.pageSettings, label: settings.label,
                manifests: ([run.mention.source] + run.otherSources).sorted())
        }
        let shared = shared(by: head)
        return ManifestRun(
            key: head.key, executedAt: head.executedAt, pages: shared.pages, label: shared.label,
            manifests: shared.manifests)
    }

    private mutating func shared(by head: RunRecordHead) -> Shared {
        if let shared, shared.head.storedActionID == head.storedActionID, shared.head.source == head.source {
            return shared
        }
        let settings = storedActions[head.key.storedActionID] ?? ManifestSettings()
        let new = Shared(head: head, pages: settings.pageSettings, label: settings.label, manifests: [head.source])
        shared = new
        return new
    }
}
