import Exporter
import Foundation

/// Shows how far an export is: one live line on a terminal, elsewhere a log line every 30 seconds.
struct ProgressDisplay {
    private static let redraw: Duration = .milliseconds(200)
    private static let logInterval: Duration = .seconds(30)

    let console: Console

    /// The first sign of life.
    func begin(_ what: String) {
        if console.isTerminal {
            console.live("\(what) …")
        } else {
            console.logger.info("\(what)")
        }
    }

    private static func line(_ progress: ExportProgress) -> String {
        ProgressLine(progress, at: progress.clock?.now ?? Date()).text
    }

    func showing<R: Sendable>(_ board: ProgressBoard, _ body: () async throws -> R) async rethrows -> R {
        let console = console
        let painter = Task {
            while true {
                try await Task.sleep(for: console.isTerminal ? Self.redraw : Self.logInterval)
                let line = Self.line(board.current)
                if console.isTerminal { console.live(line) } else { console.logger.info("\(line)") }
            }
        }
        defer {
            painter.cancel()
            console.endLive()
        }
        return try await body()
    }
}

/// Progress in one line. Pure.
struct ProgressLine {
    let text: String

    init(_ progress: ExportProgress, at now: Date) {
        guard progress.startedAt != nil else {
            text = "preparing the export …"
            return
        }
        var parts = ["\(grouped(progress.done)) of \(grouped(progress.items)) runs"]
        if progress.items > 0 { parts[0] += " (\(progress.done * 100 / progress.items) %)" }
        if progress.pages > 0 { parts.append("\(count(progress.pages, "further page"))") }
        if let rate = progress.rate(at: now) {
            parts.append("\(rate.formatted(.number.precision(.fractionLength(1)))) a second")
        }
        if let limit = progress.budgetLimit {
            var budget = "budget \(progress.budgetRemaining.map(String.init) ?? "?") of \(limit)"
            if let resets = progress.budgetResetsAt, resets > now {
                budget += ", resets in \(spoken(.seconds(resets.timeIntervalSince(now).rounded(.up))))"
            }
            parts.append(budget)
        }
        if progress.rateLimited > 0 { parts.append("\(progress.rateLimited) × 429") }
        if let left = progress.timeLeft(at: now) { parts.append("\(spoken(left)) left") }
        text = parts.joined(separator: " · ")
    }
}
