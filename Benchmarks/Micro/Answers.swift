import ActionsAPI
import Benchmark
import Foundation
import HTTPTypes

/// What is done with each answer, however small: a thousand times.
func answers() {
    let configuration = Benchmark.Configuration(
        metrics: Benchmark.defaultConfiguration.metrics, timeUnits: .nanoseconds, warmupIterations: 3,
        scalingFactor: .kilo,
        maxDuration: .seconds(3), maxIterations: 100_000)

    Benchmark("headers of 1000 answers", configuration: configuration) { benchmark in
        for _ in benchmark.scaledIterations {
            let fields = HTTPFields(received: Sample.receivedHeaders)
            blackHole(RateLimitHeaders(fields, receivedAt: Sample.receivedAt))
        }
    }

    Benchmark("budget of 1000 requests", configuration: configuration) { benchmark in
        var budget = RateBudget(share: 1)
        var headers = RateLimitHeaders(
            limit: 1_000_000, remaining: 1_000_000, resetsIn: .seconds(3600),
            resetInstant: Sample.receivedAt + 3600)
        for _ in benchmark.scaledIterations {
            blackHole(budget.request(at: Sample.receivedAt))
            headers.remaining = (headers.remaining ?? 1) - 1
            budget.answered(headers, status: 200, at: Sample.receivedAt)
        }
    }
}
