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

    /// Of each stored action the settings of all manifests' `stored_actions` laid together; where two contradict, the
    /// first one wins.
    private(set) var merged: [UUID: ManifestSettings] = [:]

    /// The same with the labels that stand on runs.
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

    /// Labels a stored action; the first label stays.
    ///
    /// - Returns: the first mention, if its label is another.
    mutating func label(_ id: UUID, _ mention: LabelMention) -> LabelMention? {
        if let first = labels[id] { return first.label == mention.label ? nil : first }
        labels[id] = mention
        return nil
    }
}
