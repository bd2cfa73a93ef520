import ActionsAPI
import ActionsHTTP
import Testing

@Suite("The retry policy")
struct RetryPolicyTests {
    let policy = RetryPolicy()

    @Test(
        "Passing failures are retried",
        arguments: [
            .notConnected, .connectionLost, .timedOut, .malformedAnswer, .status(408), .status(425), .status(500),
            .status(501), .status(505),
            .status(502),
            .status(503), .status(504), .status(507), .status(520), .status(599),
        ] as [RetryPolicy.Failure])
    func retried(failure: RetryPolicy.Failure) {
        #expect(
            policy.decision(after: failure, attempt: 1, retryAfter: nil, random: 0) == .retry(after: .milliseconds(250))
        )
    }

    @Test(
        "Final failures are not",
        arguments: [
            .bodyTooLarge, .unknownStatus, .status(400), .status(401), .status(403), .status(404), .status(409),
            .status(410),
            .status(422), .status(301), .status(600), .status(0), .status(-1),
        ] as [RetryPolicy.Failure])
    func final(failure: RetryPolicy.Failure) {
        #expect(policy.decision(after: failure, attempt: 1, retryAfter: .seconds(1), random: 0) == .giveUp)
    }

    @Test(
        "The delay doubles to its cap, half of it fixed and half random",
        arguments: [
            (1, 0.25, 0.5), (2, 0.5, 1), (3, 1, 2), (4, 2, 4), (5, 4, 8), (6, 8, 16), (7, 15, 30), (8, 15, 30),
            (100, 15, 30),
            (Int.max - 1, 15, 30),
        ])
    func delays(attempt: Int, least: Double, most: Double) {
        let patient = RetryPolicy(attempts: .max)
        func delay(_ random: Double) -> RetryPolicy.Decision {
            patient.decision(after: .timedOut, attempt: attempt, retryAfter: nil, random: random)
        }
        #expect(delay(0) == .retry(after: .milliseconds(Int(least * 1000))))
        #expect(delay(0.5) == .retry(after: .milliseconds(Int((least + most) * 500))))
        #expect(delay(1) == .retry(after: .milliseconds(Int(most * 1000))))
    }

    @Test("After the last attempt it gives up")
    func givesUp() {
        for attempt in 1...4 {
            let decision = policy.decision(after: .status(500), attempt: attempt, retryAfter: nil, random: 0.5)
            #expect(decision != .giveUp)
        }
        #expect(policy.decision(after: .status(500), attempt: 5, retryAfter: nil, random: 0.5) == .giveUp)
        #expect(RetryPolicy(attempts: 1).decision(after: .timedOut, attempt: 1, retryAfter: nil, random: 0) == .giveUp)
    }

    @Test("Retry-After is the least delay, not the most")
    func retryAfter() {
        func delay(_ retryAfter: Duration) -> RetryPolicy.Decision {
            policy.decision(after: .status(503), attempt: 3, retryAfter: retryAfter, random: 0)
        }
        #expect(delay(.seconds(40)) == .retry(after: .seconds(40)))
        #expect(delay(.milliseconds(300)) == .retry(after: .seconds(1)))
    }

    @Test("Senseless numbers do not trap", arguments: [Int.min, -1, 0, .max])
    func senseless(attempt: Int) {
        let policy = RetryPolicy(attempts: .max, base: .seconds(Int64.max), cap: .seconds(Int64.max))
        for random in [-1, 2, Double.nan, .infinity] {
            _ = policy.decision(after: .timedOut, attempt: attempt, retryAfter: nil, random: random)
        }
    }
}

@Suite("The poll schedule")
struct PollScheduleTests {
    @Test(
        "Gaps grow by 1.6 from 1 s to 60 s, give or take a tenth",
        arguments: [
            (0, 1000), (1, 1600), (2, 2560), (3, 4096), (5, 10486), (8, 42950), (9, 60000), (100, 60000),
            (Int.max, 60000), (-1, 1000),
        ])
    func gaps(polls: Int, milliseconds: Int) {
        let schedule = PollSchedule()
        func gap(_ random: Double) -> Double {
            schedule.gap(afterPolls: polls, random: random) / .milliseconds(milliseconds)
        }
        #expect(abs(gap(0) - 0.9) < 0.0001)
        #expect(abs(gap(0.5) - 1) < 0.0001)
        #expect(abs(gap(1) - 1.1) < 0.0001)
    }
}
