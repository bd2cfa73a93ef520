import ExportCore
import JSONText

/// How a run's pages are followed: the run's settings, over those of its stored action, over the defaults.
package struct PageSettings: Sendable, Hashable {
    package static let defaultMaxPages = Chain.defaultMaxPages
    package static let defaultFirstPage = "0"
    package static let maxPagesRange = 1...1_000_000
    /// What goes out where the manifest has none.
    static let noInputs = Array("{}".utf8)

    package var followPages: Bool
    /// The JSON object to send with the request for a page, byte for byte as the manifest has it.
    package var inputs: [UInt8]?
    package var actionType: String?
    /// 1…1,000,000, the root included.
    package var maxPages: Int
    /// The cursor of the chain's first page.
    package var firstPage: String

    package init(
        followPages: Bool = false, inputs: [UInt8]? = nil, actionType: String? = nil,
        maxPages: Int = defaultMaxPages, firstPage: String = defaultFirstPage
    ) {
        self.followPages = followPages
        self.inputs = inputs
        self.actionType = actionType
        self.maxPages = maxPages
        self.firstPage = firstPage
    }
}

/// The settings of a stored action or a run; nil is absent.
package struct ManifestSettings: Sendable, Hashable {
    package var label: String?
    package var followPages: Bool?
    package var inputs: [UInt8]?
    package var actionType: String?
    package var maxPages: Int?
    package var firstPage: String?

    package init() {}

    /// These settings, and where one is absent that of `base`.
    func over(_ base: ManifestSettings?) -> ManifestSettings {
        guard let base else { return self }
        var result = self
        result.label = label ?? base.label
        result.followPages = followPages ?? base.followPages
        result.inputs = inputs ?? base.inputs
        result.actionType = actionType ?? base.actionType
        result.maxPages = maxPages ?? base.maxPages
        result.firstPage = firstPage ?? base.firstPage
        return result
    }

    var pageSettings: PageSettings {
        PageSettings(
            followPages: followPages ?? false, inputs: inputs, actionType: actionType,
            maxPages: maxPages ?? PageSettings.defaultMaxPages,
            firstPage: firstPage ?? PageSettings.defaultFirstPage)
    }

    /// These settings with the defaults filled in: what two mentions of a run must agree in.
    var withDefaults: ManifestSettings {
        var result = self
        let pages = pageSettings
        result.followPages = pages.followPages
        result.maxPages = pages.maxPages
        result.firstPage = pages.firstPage
        return result
    }

    /// The keys whose values differ. Inputs are compared as JSON values, not by their bytes.
    func differingKeys(from other: ManifestSettings) -> [String] {
        var keys: [String] = []
        if label != other.label { keys.append("label") }
        if followPages != other.followPages { keys.append("follow_pages") }
        if !isSameInputs(inputs, other.inputs) { keys.append("inputs") }
        if actionType != other.actionType { keys.append("action_type") }
        if maxPages != other.maxPages { keys.append("max_pages") }
        if firstPage != other.firstPage { keys.append("first_page") }
        return keys
    }

    /// The keys that are in both with different values.
    func contradictions(with other: ManifestSettings) -> [String] {
        // Laid over each other either way, the two differ only where both have a value.
        over(other).differingKeys(from: other.over(self))
    }
}

private func isSameInputs(_ left: [UInt8]?, _ right: [UInt8]?) -> Bool {
    if left == right { return true }
    guard let left, let right, let first = try? JSONValue(validating: left),
        let second = try? JSONValue(validating: right)
    else { return false }
    return first.canonical == second.canonical
}
