/// What is measured of one execution.
enum Metric: String, CaseIterable {
    /// Seconds.
    case wall
    /// Seconds of the measured program, user and system.
    case clientCPU = "client_cpu"
    /// Bytes: the measured program's resident set at its largest.
    case peak
    /// Seconds of all processes of the PostgreSQL server.
    case serverCPU = "postgres_cpu"
    /// Bytes written ahead.
    case wal
    /// Bytes by which the tables and their indexes grew.
    case growth
    /// Seconds from the start of the process until the answer server saw a request.
    case firstRequest = "first_request"
    /// Seconds from the start of the process until every run had its row.
    case allOpen = "all_open"
    /// Requests that left.
    case requests
    /// Answers 429.
    case refused
}

typealias Sample = [Metric: Double]

/// What was measured of each case, round after round.
struct Results {
    private(set) var cases: [String] = []
    private var samples: [String: [Sample]] = [:]

    mutating func add(_ sample: Sample, to name: String) {
        if samples[name] == nil { cases.append(name) }
        samples[name, default: []].append(sample)
    }

    func samples(of name: String) -> [Sample] { samples[name] ?? [] }

    func values(_ metric: Metric, of name: String) -> [Double] { samples(of: name).compactMap { $0[metric] }.sorted() }

    /// nil if it was not measured.
    func median(_ metric: Metric, of name: String) -> Double? { values(metric, of: name).median }

    /// The median of the rounds' ratios: a disturbance during a round affects both sides of its ratio.
    func ratio(_ metric: Metric, of name: String, to floor: String, _ floorMetric: Metric? = nil) -> Double? {
        zip(samples(of: name), samples(of: floor)).compactMap { sample, below in
            guard let value = sample[metric], let base = below[floorMetric ?? metric], base > 0 else { return nil }
            return value / base
        }.sorted().median
    }
}

extension [Double] {
    /// Of sorted values; of an even number of them, the mean of the two in the middle.
    fileprivate var median: Double? {
        isEmpty ? nil : (self[(count - 1) / 2] + self[count / 2]) / 2
    }
}
