import ExportCore
import Foundation
import JSONText

/// What one element of `runs`, one line or one record says.
struct RunFields {
    /// The runs named: one, or those of `run_ids` with their indexes there. Empty if anything is wrong.
    var runs: [(key: RunKey, index: Int?)] = []
    var executedAt: Date?
    var settings = ManifestSettings()
    var findings: [FieldReader.Finding] = []

    /// An element of a JSON manifest's `runs`.
    init(element value: JSONValue) {
        guard var reader = RunFields.reader(of: value, known: ManifestKeys.run, findings: &findings) else { return }
        if reader.has("run_id"), reader.has("run_ids") {
            reader.add("run_ids", "stands beside run_id: keep one of the two")
        } else if !reader.has("run_id"), !reader.has("run_ids") {
            reader.add("run_id", "missing: every entry needs run_id or run_ids")
        }
        read(&reader)
    }

    /// A line of JSON Lines.
    init(line value: JSONValue) {
        let messages = ["run_ids": "is for JSON manifests: write one line with run_id for each run"]
        guard
            var reader = RunFields.reader(
                of: value, known: ManifestKeys.csvColumns, messages: messages, findings: &findings)
        else { return }
        // Where run_id is missing because of run_ids, the fix of run_ids is reported already.
        if value["run_ids"] == nil { reader.required("run_id") }
        read(&reader)
    }

    /// A record of CSV.
    init(columns: [String], cells: [String]) {
        var reader = FieldReader(columns: columns, cells: cells)
        reader.required("run_id")
        read(&reader)
    }

    private mutating func read(_ reader: inout FieldReader) {
        reader.required("stored_action_id")
        let storedActionID = reader.uuid("stored_action_id")
        let runID = reader.uuid("run_id")
        let runIDs = reader.uuids("run_ids")
        executedAt = reader.timestamp("executed_at")
        settings = reader.settings()
        findings = reader.findings
        guard findings.isEmpty, let storedActionID else { return }
        if let runID { runs = [(RunKey(storedActionID: storedActionID, runID: runID), nil)] }
        for (index, runID) in (runIDs ?? []).enumerated() {
            if let runID { runs.append((RunKey(storedActionID: storedActionID, runID: runID), index)) }
        }
    }

    private static func reader(
        of value: JSONValue, known: [String], messages: [String: String] = [:], findings: inout [FieldReader.Finding]
    ) -> FieldReader? {
        if value.kind != .object {
            let message = "is \(FieldValue.json(value).kindText): write an object with stored_action_id and run_id"
            findings.append(FieldReader.Finding(key: nil, message: message))
        } else if isTooDeep(value) {
            findings.append(
                FieldReader.Finding(key: nil, message: "nests deeper than \(FieldReader.depthLimit) levels"))
        } else {
            return FieldReader(members: value.members(), known: known, messages: messages)
        }
        return nil
    }
}
