import Exporter
import Foundation

/// A chain of pages as `--json` prints it.
struct ChainReportJSON: Encodable, Sendable {
    let report: ChainReport

    private enum CodingKeys: String, CodingKey {
        case storedActionID = "stored_action_id"
        case rootRunID = "root_run_id"
        case pageNumber = "page_number"
        case leftFor = "left_for"
        case detail
        case askedAt = "asked_at"
        case restoredTo = "restored_to"
        case resolve
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(report.storedActionID, forKey: .storedActionID)
        try container.encode(report.rootRunID, forKey: .rootRunID)
        try container.encode(report.pageNumber, forKey: .pageNumber)
        try container.encodeIfPresent(report.leftFor?.rawValue, forKey: .leftFor)
        try container.encode(report.detail, forKey: .detail)
        try container.encodeIfPresent(report.askedAt, forKey: .askedAt)
        try container.encodeIfPresent(report.restoredTo, forKey: .restoredTo)
        try container.encode(report.resolveCommands, forKey: .resolve)
    }
}

extension ChainReport {
    /// What settles a page in doubt: the first command if its run exists, the second if it does not. Empty if no page
    /// is in doubt.
    var resolveCommands: [String] {
        guard isInDoubt else { return [] }
        let chain = sharesRoot ? "\(rootRunID) --stored-action \(storedActionID)" : rootRunID
        return ["--run-id RUN_ID", "--not-sent"].map { "stored-actions resolve --chain \(chain) \($0)" }
    }
}
