import Benchmark
import BenchmarkParts

/// What the parts of the client cost, `memcpy` of the same body among them: ratios count, not times.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.cpuTotal, .wallClock, .throughput], warmupIterations: 3,
        maxDuration: .seconds(3), maxIterations: 100_000)
    for part in Part.allCases {
        Benchmark(part.rawValue) { benchmark in
            for _ in benchmark.scaledIterations { blackHole(try part.run()) }
        }
    }
    copyEncoder()
}
