/// Which scenarios a manifest holds, and how much of each.
struct Mix: Sendable {
    /// When the run was started, as the manifest says.
    enum Age: Sendable {
        /// At some time of the last seven days.
        case withinRetention
        case yesterday
        case eightDaysAgo
        case untold
    }

    struct Share: Sendable {
        let scenario: Scenario
        let parameter: UInt16
        let age: Age
        /// How much of what is left once each share has one run.
        let weight: Int

        init(_ scenario: Scenario, parameter: UInt16 = 0, age: Age = .withinRetention, weight: Int = 1) {
            self.scenario = scenario
            self.parameter = parameter
            self.age = age
            self.weight = weight
        }
    }

    let shares: [Share]

    /// Mostly success, and something of everything that leads to each outcome. Failures that never end weigh nothing
    /// (one run each), for every one of them costs all the retries there are.
    static let all = Mix(shares: [
        Share(.success, weight: 150),
        Share(.successEmpty, weight: 8),
        Share(.successFlat, weight: 4),
        Share(.successEnveloped, weight: 4),
        Share(.successWithoutStatus, weight: 4),
        Share(.successErrorsOnly, weight: 2),
        Share(.successWithID, weight: 4),
        Share(.successWithoutID, weight: 4),
        Share(.large, parameter: 64, weight: 0),
        Share(.gzip, weight: 2),
        Share(.deep, parameter: 1, weight: 0),
        Share(.error, weight: 12),
        Share(.error, parameter: 8, weight: 1),
        Share(.errorThrottled, parameter: 45, weight: 2),
        Share(.errorWithoutStatus, weight: 3),
        Share(.errorUnknownCode, weight: 1),
        Share(.expired, age: .eightDaysAgo, weight: 8),
        Share(.expired, age: .untold, weight: 3),
        Share(.gone, age: .eightDaysAgo, weight: 1),
        Share(.expired, age: .yesterday, weight: 4),
        Share(.forbidden, weight: 4),
        Share(.badRequest, weight: 2),
        Share(.conflict, weight: 1),
        Share(.unprocessable, weight: 1),
        Share(.pending, parameter: 1, weight: 3),
        Share(.waiting, parameter: 1, weight: 2),
        Share(.serverError, parameter: 1, weight: 1),
        Share(.badGateway, parameter: 1, weight: 0),
        Share(.unavailable, parameter: 1, weight: 0),
        Share(.gatewayTimeout, parameter: 1, weight: 0),
        Share(.requestTimeout, parameter: 1, weight: 0),
        Share(.tooEarly, parameter: 1, weight: 0),
        Share(.cut, parameter: 1, weight: 0),
        Share(.noAnswer, parameter: 1, weight: 0),
        Share(.truncatedJSON, parameter: 1, weight: 0),
        Share(.slow, parameter: 20, weight: 0),
        Share(.stall, parameter: 20, weight: 0),
        Share(.waiting, weight: 1),
        Share(.pending, weight: 1),
        Share(.serverError, weight: 0),
        Share(.html, weight: 0),
        Share(.unknownStatus, weight: 0),
        Share(.notFoundHTML, weight: 0),
    ])

    /// How many runs each share gets: one each as far as they go, the rest by weight, in whole numbers that add up.
    func counts(of runs: Int) -> [Int] {
        var counts = shares.indices.map { $0 < runs ? 1 : 0 }
        let rest = max(0, runs - shares.count)
        let total = shares.map(\.weight).reduce(0, +)
        guard rest > 0, total > 0 else { return counts }
        var weightBefore = 0
        for (index, share) in shares.enumerated() {
            let start = rest * weightBefore / total
            weightBefore += share.weight
            counts[index] += rest * weightBefore / total - start
        }
        return counts
    }
}
