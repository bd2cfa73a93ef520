/// The results as text, for people.
enum Table {
    static func text(
        _ results: Results, _ servers: [String: AnswerServerProcess.Limit], _ micro: MicroResults, _ plan: Plan
    ) -> String {
        var lines = ["\(plan.rounds) rounds of workloads \(fixed(plan.scale, 2)) times their full size"]
        lines += servers.sorted { $0.key > $1.key }.map { name, limit in
            "answer server, \(name): \(Int(limit.rate)) requests/s at most, \(Int(limit.cpuEach * 1e6)) µs of CPU each"
        }
        for table in [measured(results), compared(results), parts(of: micro)] where table.count > 1 {
            lines += [""] + aligned(table)
        }
        return lines.joined(separator: "\n")
    }

    /// A line for each case: medians, and the least and the greatest value.
    private static func measured(_ results: Results) -> [[String]] {
        let metrics = Metric.allCases.filter { metric in
            results.cases.contains { results.median(metric, of: $0) != nil }
        }
        return [["median (least–greatest)"] + metrics.map(\.title)]
            + results.cases.map { name in
                [name]
                    + metrics.map { metric in
                        let values = results.values(metric, of: name)
                        guard let median = results.median(metric, of: name), let (least, greatest) = values.ends else {
                            return "–"
                        }
                        return values.count == 1
                            ? metric.shown(median)
                            : "\(metric.shown(median)) (\(metric.shown(least))–\(metric.shown(greatest)))"
                    }
            }
    }

    private static func compared(_ results: Results) -> [[String]] {
        [["", "is", "at most", "beyond", ""]]
            + Comparison.all(results).map { figure in
                let isReached = figure.target.map { figure.value <= $0 }
                return [
                    figure.name, figure.unit.shown(figure.value), figure.target.map(figure.unit.shown) ?? "–",
                    figure.beyond.map(figure.unit.shown) ?? "–", isReached.map { $0 ? "reached" : "missed" } ?? "",
                ]
            }
    }

    private static func parts(of micro: MicroResults) -> [[String]] {
        [["micro-benchmark", "CPU µs", "memcpy of the large body"]]
            + micro.parts.map { [$0.name, fixed($0.cpu, 0), fixed($0.ratio, 1) + " ×"] }
    }

    /// The first column to the left, the others to the right.
    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).enumerated().map { column, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + space : space + cell.0
            }.joined(separator: "  ")
        }
    }
}

extension Metric {
    var title: String {
        switch self {
        case .wall: "wall s"
        case .clientCPU: "client CPU s"
        case .peak: "peak MiB"
        case .serverCPU: "PostgreSQL CPU s"
        case .wal: "WAL MiB"
        case .growth: "growth MiB"
        case .firstRequest: "first request s"
        case .allOpen: "all open s"
        case .requests: "requests"
        case .refused: "429s"
        }
    }

    /// In the title's unit.
    func shown(_ value: Double) -> String {
        switch self {
        case .wall, .clientCPU, .serverCPU, .firstRequest, .allOpen: fixed(value, 2)
        case .peak, .wal, .growth: fixed(value / 1_048_576, 1)
        case .requests, .refused: fixed(value, 0)
        }
    }
}

extension Comparison.Unit {
    func shown(_ value: Double) -> String {
        switch self {
        case .ratio: fixed(value, 2) + " ×"
        case .seconds: fixed(value, 2) + " s"
        case .bytes: value == 0 ? "0" : fixed(value / 1_048_576, 1) + " MiB"
        }
    }
}

/// A number with so many digits behind the point.
func fixed(_ value: Double, _ digits: Int) -> String {
    let power = (0..<digits).reduce(1) { power, _ in power * 10 }
    let whole = Int((abs(value) * Double(power)).rounded())
    let fraction = "\(whole % power + power)".dropFirst()
    return "\(value < 0 && whole > 0 ? "-" : "")\(whole / power)\(digits > 0 ? "." + fraction : "")"
}

extension [Double] {
    /// The first and the last one.
    var ends: (Double, Double)? { first.flatMap { first in last.map { (first, $0) } } }
}
