import FoundationEssentials

/// The results as JSON: seconds and bytes.
struct JSONReport: Encodable {
    struct Server: Encodable {
        var requests_per_second: Double
        var cpu_per_request: Double
    }
    struct Series: Encodable {
        var median: Double
        var samples: [Double]
    }
    struct Figure: Encodable {
        var name: String
        var value: Double
        var unit: String
        var target: Double?
        var beyond: Double?
    }

    var rounds: Int
    var scale: Double
    var seed = Plan.seed
    var concurrency = Plan.concurrency
    var answer_server: [String: Server]
    var cases: [String: [String: Series]]
    var figures: [Figure]
    /// Microseconds.
    var micro: [MicroResults.Part]

    init(
        _ results: Results, _ servers: [String: AnswerServerProcess.Limit], _ micro: MicroResults, _ plan: Plan
    ) {
        self.micro = micro.parts
        rounds = plan.rounds
        scale = plan.scale
        answer_server = servers.mapValues { Server(requests_per_second: $0.rate, cpu_per_request: $0.cpuEach) }
        cases = Dictionary(uniqueKeysWithValues: results.cases.map { ($0, Self.series(of: $0, results)) })
        figures = Comparison.all(results).map {
            Figure(name: $0.name, value: $0.value, unit: $0.unit.rawValue, target: $0.target, beyond: $0.beyond)
        }
    }

    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { fail("the results are not JSON") }
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    /// By the name of the metric; samples in the order of the rounds.
    private static func series(of name: String, _ results: Results) -> [String: Series] {
        var series: [String: Series] = [:]
        for metric in Metric.allCases {
            guard let median = results.median(metric, of: name) else { continue }
            let samples = results.samples(of: name).compactMap { $0[metric] }
            series[metric.rawValue] = Series(median: median, samples: samples)
        }
        return series
    }
}
