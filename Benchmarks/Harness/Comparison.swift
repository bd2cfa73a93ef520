/// A figure that has a goal.
struct Comparison {
    enum Unit: String {
        case ratio
        case seconds = "s"
        case bytes
    }

    var name: String
    var value: Double
    var unit = Unit.ratio
    /// What it is to be at most; nil for a figure that is only reported.
    var target: Double?
    /// What lies beyond the target.
    var beyond: Double?
}

extension Comparison {
    private static let mebibyte = 1_048_576.0

    /// All that were measured.
    static func all(_ results: Results) -> [Comparison] {
        var list: [Comparison] = []
        func add(
            _ name: String, _ value: Double?, _ unit: Unit = .ratio, _ target: Double? = nil, beyond: Double? = nil
        ) {
            guard let value else { return }
            list.append(Comparison(name: name, value: value, unit: unit, target: target, beyond: beyond))
        }
        add(
            "small: client CPU to AsyncHTTPClient alone",
            results.ratio(.clientCPU, of: "small", to: "small/http"), .ratio, 1.8, beyond: 1.5)
        add(
            #"small: PostgreSQL CPU to \copy"#, results.ratio(.serverCPU, of: "small", to: "small/copy"), .ratio, 1.7,
            beyond: 1.4)
        add(
            #"small: wall to \copy on one connection"#, results.ratio(.wall, of: "small", to: "small/copy"), .ratio,
            2.8,
            beyond: 2.2)
        add(#"small: wall to \copy on two connections"#, results.ratio(.wall, of: "small", to: "small/copy 2"))
        add("small: peak memory", results.median(.peak, of: "small"), .bytes, 48 * mebibyte)
        add("small: peak memory of ten times the runs", ofTenTimes("small", results), .ratio, 1.1)
        add(
            "large: client CPU to memcpy of the bodies ten times",
            results.ratio(.clientCPU, of: "large", to: "large/memcpy"))
        add("large: client CPU to AsyncHTTPClient alone", results.ratio(.clientCPU, of: "large", to: "large/http"))
        add(#"large: PostgreSQL CPU to \copy"#, results.ratio(.serverCPU, of: "large", to: "large/copy"))
        add(
            #"large: wall to \copy on one connection"#, results.ratio(.wall, of: "large", to: "large/copy"), .ratio,
            0.7,
            beyond: 0.6)
        add(#"large: wall to \copy on two connections"#, results.ratio(.wall, of: "large", to: "large/copy 2"))
        add("large: peak memory", results.median(.peak, of: "large"), .bytes, 128 * mebibyte)
        add("large: peak memory of ten times the runs", ofTenTimes("large", results), .ratio, 1.1)
        add("settled: wall", results.median(.wall, of: "settled"), .seconds, 6, beyond: 3)
        add("settled: growth of tables", results.median(.growth, of: "settled"), .bytes, 0)
        add("settled: write-ahead log", results.median(.wal, of: "settled"), .bytes, mebibyte)
        add("first: request", results.median(.firstRequest, of: "first"), .seconds, 3, beyond: 1)
        add("first: all runs open", results.median(.allOpen, of: "first"), .seconds, 20, beyond: 10)
        add(
            "pages: requests to the least possible",
            results.median(.requests, of: "pages").map { $0 / SandboxExports.leastRequestsOfPages })
        add(
            "window: wall to the least possible",
            results.median(.wall, of: "window").map { $0 / SandboxExports.leastWallOfWindow })
        return list
    }

    private static func ofTenTimes(_ name: String, _ results: Results) -> Double? {
        guard let once = results.median(.peak, of: name), let tenTimes = results.median(.peak, of: "\(name)×10")
        else { return nil }
        return tenTimes / once
    }
}
