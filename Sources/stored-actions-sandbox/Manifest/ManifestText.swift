enum ManifestFormat: String, CaseIterable, Sendable {
    case json, jsonl, csv
}

/// A plan as the text of a manifest, laid out for a reader.
struct ManifestText: Sendable {
    let name: String
    let plan: ManifestPlan
    let format: ManifestFormat

    /// The text, in pieces that need not be in memory together.
    var pieces: any Sequence<String> {
        switch format {
        case .json: [head] + json
        case .jsonl: plan.entries.lazy.map { Self.line($0).text + "\n" }
        case .csv:
            ["stored_action_id,run_id,executed_at\n"]
                + plan.entries.map { "\($0.action),\($0.run),\(Self.date($0) ?? "")\n" }
        }
    }

    private var head: String {
        let actions = plan.actions.map { action in
            "    \"\(action.id)\": {\"label\": \"\(action.label)\"}"
        }
        return """
            {
              "version": 1,
              "name": \(JSON.string(name).text),
              "stored_actions": {
            \(actions.joined(separator: ",\n"))
              },
              "runs": [

            """
    }

    /// Runs with nothing but an id are listed together, by stored action; the others have a line each.
    private var json: [String] {
        var groups: [String] = []
        for action in plan.actions {
            let bare = plan.entries.filter { $0.action == action.id && Self.isBare($0) }.map { "\"\($0.run)\"" }
            guard !bare.isEmpty else { continue }
            let pairs = stride(from: 0, to: bare.count, by: 2).map { start in
                "      " + bare[start..<min(start + 2, bare.count)].joined(separator: ", ")
            }
            let runs = pairs.joined(separator: ",\n")
            groups.append("    {\"stored_action_id\": \"\(action.id)\", \"run_ids\": [\n\(runs)\n    ]}")
        }
        let lines = plan.entries.filter { !Self.isBare($0) }.map { "    " + Self.spaced(Self.line($0)) }
        let all = groups + lines
        let separated = all.enumerated().map { index, text in text + (index + 1 < all.count ? ",\n" : "\n") }
        return separated + ["  ]\n}\n"]
    }

    private static func isBare(_ entry: ManifestPlan.Entry) -> Bool {
        entry.executedAt == nil && entry.inputs == nil
    }

    private static func line(_ entry: ManifestPlan.Entry) -> JSON {
        var fields: [(String, JSON)] = [
            ("stored_action_id", .string(entry.action.description)), ("run_id", .string(entry.run.description)),
        ]
        if let date = date(entry) { fields.append(("executed_at", .string(date))) }
        if let actionType = entry.actionType { fields.append(("action_type", .string(actionType))) }
        if let inputs = entry.inputs { fields += [("follow_pages", true), ("inputs", inputs)] }
        return .object(fields)
    }

    private static func date(_ entry: ManifestPlan.Entry) -> String? {
        entry.executedAt.map { Timestamp($0).iso8601 }
    }

    /// With a space after each comma and colon. None of a manifest's strings holds either.
    private static func spaced(_ json: JSON) -> String {
        json.text.replacing(",", with: ", ").replacing("\":", with: "\": ")
    }
}
