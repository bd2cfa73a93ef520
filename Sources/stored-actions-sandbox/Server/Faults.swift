/// Reads that go wrong by chance, the same ones for the same seed.
enum Fault: Equatable, Sendable {
    case serverError
    case unavailable
    case cut

    /// - Parameters:
    ///   - rate: the share of requests that go wrong, 0 to 1.
    ///   - request: the number of this request among those to its path.
    static func drawn(rate: Double, seed: UInt64, path: String, request: Int) -> Fault? {
        guard rate > 0 else { return nil }
        var generator = SeededGenerator(seed: seed, salt: stableHash("fault \(request) \(path)"))
        guard generator.fraction() < rate else { return nil }
        return generator.pick([.serverError, .unavailable, .cut], or: .serverError)
    }

    func applied(to answer: Answer) -> Answer {
        switch self {
        case .serverError: APIError.externalServiceError.answer
        case .unavailable: APIError.serviceUnavailable.answer.retryable(after: 1)
        case .cut: answer.cutInHalf
        }
    }
}

extension SandboxState.Arrival {
    /// The latency of the settings with this request's share of the jitter.
    func extraLatency(for call: Call) -> Duration {
        var generator = SeededGenerator(seed: settings.seed, salt: stableHash("latency \(request) \(call.path)"))
        let start = if case .submit = call.route { settings.postLatency } else { 0 }
        return .milliseconds(settings.latency + start + generator.below(settings.latencyJitter + 1))
    }
}
