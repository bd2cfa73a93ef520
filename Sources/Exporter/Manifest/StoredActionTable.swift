import Foundation

/// What all manifests say of their stored actions, setting by setting, and the label of each.
struct StoredActionTable {
    /// Where a stored action got its label: under `stored_actions`, or on one of its runs.
    struct LabelMention {
        var label: String
        var source: Int
        var place: ManifestPlace
    }

    private var mentions: [UUID: [(source: Int, settings: ManifestSettings)]] = [:]
    private var labels: [UUID: LabelMention] = [:]
    /// The label of the stored action that was labelled last: runs that follow one another mostly repeat it.
    private var latestLabel: (id: PackedUUID, label: [UInt8])?
    /// Stored actions that runs of one manifest label differently.
    private var relabelled: Set<UUID> = []

    /// Of each stored action the settings of all manifests' `stored_actions` laid together; where two contradict, the
    /// first one wins.
    private(set) var merged: [UUID: ManifestSettings] = [:]

    /// The same with the labels of runs.
    var labelled: [UUID: ManifestSettings] {
        labels.reduce(into: merged) { $0[$1.key, default: ManifestSettings()].label = $1.value.label }
    }

    /// Whether a source names the stored action already.
    func isNamed(_ id: UUID, in source: Int) -> Bool {
        mentions[id]?.contains { $0.source == source } ?? false
    }

    /// - Returns: the keys but `label` that an earlier source has with another value, each with the first such source.
    mutating func add(_ settings: ManifestSettings, of id: UUID, source: Int) -> [(key: String, source: Int)] {
        var contradictions: [(key: String, source: Int)] = []
        for earlier in mentions[id] ?? [] {
            for key in settings.contradictions(with: earlier.settings)
            where key != "label" && !contradictions.contains(where: { $0.key == key }) {
                contradictions.append((key, earlier.source))
            }
        }
        mentions[id, default: []].append((source, settings))
        merged[id] = (merged[id] ?? ManifestSettings()).over(settings)
        return contradictions
    }

    /// Labels a stored action. Within one manifest a run's label wins over the one under `stored_actions`, and of
    /// several runs' labels the last one; manifests must not contradict each other.
    mutating func label(_ id: UUID, _ mention: LabelMention) -> LabelConflict? {
        defer { latestLabel = labels[id].map { (PackedUUID(id), Array($0.label.utf8)) } }
        guard let earlier = labels[id], earlier.label != mention.label else {
            labels[id] = labels[id] ?? mention
            return nil
        }
        if earlier.source != mention.source { return .betweenManifests(earlier) }
        if earlier.place.isRun && !mention.place.isRun { return nil }
        labels[id] = mention
        guard earlier.place.isRun, relabelled.insert(id).inserted else { return nil }
        return .betweenRuns(earlier)
    }

    /// Whether the stored action was labelled last, and has this label: to label it again then changes nothing.
    func isLatestLabel(_ label: UnsafeRawBufferPointer, of id: PackedUUID) -> Bool {
        guard let latestLabel, latestLabel.id == id else { return false }
        return latestLabel.label.elementsEqual(label)
    }

    /// With the mention before.
    enum LabelConflict {
        case betweenManifests(LabelMention)
        /// The first such conflict of the stored action.
        case betweenRuns(LabelMention)
    }
}

extension ManifestPlace {
    fileprivate var isRun: Bool {
        switch self {
        case .element, .line: true
        case .top, .storedAction: false
        }
    }
}
