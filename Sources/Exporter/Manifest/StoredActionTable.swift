import Foundation

/// What all manifests say of their stored actions, setting by setting.
struct StoredActionTable {
    private var mentions: [UUID: [(source: Int, settings: ManifestSettings)]] = [:]

    /// Of each stored action the settings of all manifests laid together; where two contradict, the first one wins.
    private(set) var merged: [UUID: ManifestSettings] = [:]

    /// Whether a source names the stored action already.
    func isNamed(_ id: UUID, in source: Int) -> Bool {
        mentions[id]?.contains { $0.source == source } ?? false
    }

    /// - Returns: the keys that an earlier source has with another value, each with the first such source.
    mutating func add(_ settings: ManifestSettings, of id: UUID, source: Int) -> [(key: String, source: Int)] {
        var contradictions: [(key: String, source: Int)] = []
        for earlier in mentions[id] ?? [] {
            for key in settings.contradictions(with: earlier.settings)
            where !contradictions.contains(where: { $0.key == key }) {
                contradictions.append((key, earlier.source))
            }
        }
        mentions[id, default: []].append((source, settings))
        merged[id] = (merged[id] ?? ManifestSettings()).over(settings)
        return contradictions
    }
}
