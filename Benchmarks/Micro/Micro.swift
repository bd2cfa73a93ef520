import Benchmark

/// What the parts of the client cost, and `memcpy` of the same body beside them: ratios count, not times.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.cpuTotal, .wallClock, .throughput], timeUnits: .nanoseconds, warmupIterations: 3,
        maxDuration: .seconds(3), maxIterations: 100_000)

    Benchmark("memcpy") { benchmark in
        for _ in benchmark.scaledIterations { Sample.body.copy() }
    }
    bodies()
    answers()
    exports()
}
