import ExportCore
import Exporter
import Foundation

/// What an export's summary says of chains of pages.
enum ChainText {
    /// Chains that are named one by one; all others are in the tables.
    private static let shown = 20

    /// Nil if the manifests ask for no pages.
    static func figures(_ chains: Summary.Chains) -> String? {
        guard !chains.ended.isEmpty || chains.open > 0 else { return nil }
        var parts = EndReason.allCases.compactMap { reason in
            chains.ended[reason].map { "\(grouped($0)) \(reason.rawValue)" }
        }
        if chains.open > 0 { parts.append("\(grouped(chains.open)) without an end yet") }
        return parts.joined(separator: ", ") + "; \(count(chains.pagesFollowed, "page")) followed"
    }

    /// - Parameters:
    ///   - number: of all such chains, which `chains` begins.
    ///   - settings: what the commands take besides, with a space before it.
    static func inDoubt(_ chains: [ChainReport], of number: Int, settings: String) -> [String] {
        guard number > 0 else { return [] }
        var lines = [
            "\(count(number, "page")) \(number == 1 ? "is" : "are") in doubt: the request got no answer, so its run may or may "
                + "not have started.",
            "Check the account's run history, then use the first command if the run exists and the second if it does not:",
        ]
        for chain in chains.prefix(shown) {
            let time =
                chain.askedAt.map { " at \($0.formatted(.iso8601))" }
                ?? chain.restoredTo.map { ", if it was requested after \($0.formatted(.iso8601))" } ?? ""
            lines.append("  page \(chain.pageNumber) of stored action \(chain.storedActionID)\(time)")
            lines += chain.resolveCommands.map { "    \($0)\(settings)" }
        }
        return lines + more(number, min(chains.count, shown))
    }

    static func left(_ chains: Summary.Chains) -> [String] {
        guard !chains.left.isEmpty else { return [] }
        return ["Chains of pages without an end yet:"]
            + chains.left.prefix(shown).map { "  chain \($0.rootRunID): \($0.detail)".shownOnOneLine }
            + more(chains.open, min(chains.left.count, shown))
    }

    private static func more(_ number: Int, _ shown: Int) -> [String] {
        number > shown ? ["  and \(grouped(number - shown)) more: select … from stored_actions.page_chains"] : []
    }
}
