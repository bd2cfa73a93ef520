import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("What an answer makes of a run")
struct RunRulesTests {
    static let now = Date(timeIntervalSince1970: 1_800_000_000)
    static let runID = UUID(uuidString: "9b1d0000-0000-4000-8000-000000000001")!
    static let key = RunKey(storedActionID: UUID(uuidString: "4f4e0000-0000-4000-8000-000000000001")!, runID: runID)

    static func item(executedDaysAgo: Double? = nil, seenDaysAgo: Double = 0, alive: Bool = false) -> RunItem {
        let executedAt = executedDaysAgo.map { now - $0 * 86_400 }
        return RunItem(
            key: key, executedAt: executedAt,
            expiresAt: (executedAt ?? now - seenDaysAgo * 86_400) + retention.seconds, seenAlive: alive)
    }

    static func step(_ status: Int, _ body: String, _ item: RunItem) -> RunStep {
        let answer = RunAnswer(APIResponse(status: status, body: Array(body.utf8)), runID: runID)
        return RunRules(maxWait: .seconds(600)).step(item, answer: answer, retryAfter: nil, at: now, random: 0.5)
    }

    static let apiError = #"{"errors": [{"status": 404, "code": "not_found"}]}"#

    @Test(
        "200 is success or error by its status, and without one by its errors",
        arguments: [
            (#"{"status": "success", "results": [], "errors": []}"#, Outcome.success),
            (#"{"status": "success", "errors": [{"code": "user"}]}"#, .success),
            (#"{"data": {"status": "success", "results": [{}], "errors": []}}"#, .success),
            (#"{"errors": []}"#, .success),
            (#"{"results": [1]}"#, .success),
            (#"{"status": null, "errors": []}"#, .success),
            (#"{"status": "error", "errors": []}"#, .error),
            (#"{"errors": [{"code": "partner"}]}"#, .error),
            (#"{"data": {"errors": [{"code": "never_heard_of"}]}}"#, .error),
        ])
    func finished(body: String, outcome: Outcome) {
        #expect(Self.step(200, body, Self.item()) == .conclude(Verdict(outcome: outcome, seenAlive: true)))
    }

    @Test("202 is pending whatever its body, and status waiting is waiting: both are asked for again")
    func unfinished() {
        let gap = PollSchedule().gap(afterPolls: 0, random: 0.5)
        for body in ["", "{}", "<html>"] {
            #expect(
                Self.step(202, body, Self.item())
                    == .poll(Verdict(outcome: .pending, seenAlive: true), after: gap))
        }
        #expect(
            Self.step(200, #"{"status": "waiting", "errors": []}"#, Self.item())
                == .poll(Verdict(outcome: .waiting, seenAlive: true), after: gap))
    }

    @Test("Polls of one run come at growing gaps")
    func pollGaps() {
        var item = Self.item()
        var last = Duration.zero
        for polls in 0..<6 {
            item.polls = polls
            guard case .poll(_, let gap) = Self.step(202, "", item) else {
                Issue.record("202 is to be polled")
                return
            }
            #expect(gap > last)
            last = gap
        }
    }

    @Test(
        "404 and 410 with the API's error body: age and memory tell what they mean",
        arguments: [404, 410],
        [
            // Executed over seven days ago, or seen then when nobody knows better.
            (RunRulesTests.item(executedDaysAgo: 7), Outcome.expired, Evidence.pastRetention),
            (RunRulesTests.item(executedDaysAgo: 30, alive: true), .expired, .pastRetention),
            (RunRulesTests.item(seenDaysAgo: 8), .expired, .pastRetention),
            // Younger by its own word.
            (RunRulesTests.item(executedDaysAgo: 6.99), .notFound, nil),
            (RunRulesTests.item(executedDaysAgo: 0, alive: true), .notFound, nil),
            // Nobody knows its age.
            (RunRulesTests.item(seenDaysAgo: 1), .expired, .ageUnknown),
            (RunRulesTests.item(seenDaysAgo: 1, alive: true), .expired, .seenAlive),
        ] as [(RunItem, Outcome, Evidence?)])
    func gone(status: Int, expected: (item: RunItem, outcome: Outcome, evidence: Evidence?)) {
        #expect(
            Self.step(status, Self.apiError, expected.item)
                == .conclude(
                    Verdict(
                        outcome: expected.outcome, evidence: expected.evidence, seenAlive: expected.item.seenAlive)))
    }

    @Test("403 permission_denied is the run's, authentication_failed and 401 are the token's")
    func refused() {
        let denied = #"{"errors": [{"status": 403, "code": "permission_denied"}]}"#
        #expect(Self.step(403, denied, Self.item()) == .conclude(Verdict(outcome: .forbidden, seenAlive: false)))
        #expect(Self.step(403, #"{"errors": [{"code": "authentication_failed"}]}"#, Self.item()) == .refuse)
        #expect(Self.step(401, "", Self.item()) == .refuse)
    }

    @Test("400, 409 and 422 are rejected, with a body or without", arguments: [400, 409, 422], ["", apiError])
    func rejected(status: Int, body: String) {
        #expect(Self.step(status, body, Self.item()) == .conclude(Verdict(outcome: .rejected, seenAlive: false)))
    }

    @Test("429 is no fault of the run: it is asked again and no try is counted")
    func throttled() {
        var item = Self.item()
        item.failures = 100
        #expect(Self.step(429, "", item) == .askAgain)
    }

    @Test("A 200 with the API's own 429 is believed three times: it closes the window for all others")
    func quotedThrottle() {
        let body = #"{"errors": [{"status": 429, "code": "too_many_requests"}]}"#
        var item = Self.item()
        for count in 1...3 {
            item.quotedThrottles = count
            #expect(Self.step(200, body, item) == .askAgain)
        }
        item.quotedThrottles = 4
        guard case .conclude(let verdict) = Self.step(200, body, item) else {
            Issue.record("it is asked for without end")
            return
        }
        #expect(verdict.outcome == .failed)
        #expect(Self.step(429, "", item) == .askAgain)
    }

    @Test(
        "What may pass is tried again, and failed when the tries are used up",
        arguments: [
            (500, ""), (502, "<html>"), (503, ""), (504, ""), (408, ""), (425, ""),
            (200, ""), (200, "<html>maintenance</html>"), (200, #"{"status": "success", "resul"#),
            (200, #"{"message": "maintenance"}"#), (200, "[]"), (200, "null"), (200, #"{"status": "success"}"#),
            (200, #"{"errors": [{"message": "Internal server error"}], "data": null}"#),
            (200, #"{"errors": [{"status": 503, "code": "service_unavailable"}]}"#),
            (200, #"{"id": "9b1d0000-0000-4000-8000-000000000002", "status": "success", "errors": []}"#),
            (404, "<html>no such page</html>"), (404, ""), (410, "{}"), (403, "<html>blocked</html>"),
        ])
    func transient(status: Int, body: String) {
        var item = Self.item(alive: true)
        for failures in 0..<4 {
            item.failures = failures
            guard case .retry(let gap) = Self.step(status, body, item) else {
                Issue.record("\(status) is to be tried again after \(failures + 1) tries")
                return
            }
            #expect(gap > .zero)
        }
        item.failures = 4
        guard case .conclude(let verdict) = Self.step(status, body, item) else {
            Issue.record("\(status) is to be given up after five tries")
            return
        }
        #expect(verdict.outcome == .failed)
        #expect(verdict.failure?.contains("\(status)") == true)
        #expect(verdict.seenAlive)
    }

    @Test(
        "What will not pass within the export is failed at once",
        arguments: [
            (200, #"{"status": "paused", "errors": []}"#), (200, #"{"errors": [{"status": 404, "code": "c"}]}"#),
            (301, ""), (307, ""), (405, ""), (204, ""),
            (403, #"{"errors": [{"code": "something_else"}]}"#), (403, #"{"errors": []}"#),
        ])
    func final(status: Int, body: String) {
        guard case .conclude(let verdict) = Self.step(status, body, Self.item()) else {
            Issue.record("\(status) is to be settled")
            return
        }
        #expect(verdict.outcome == .failed)
    }

    @Test("A body over the limit is failed at once, a connection that broke is tried again")
    func transport() {
        let tooLarge = RunRules(maxWait: .seconds(600)).step(
            Self.item(), error: TransportError(.bodyTooLarge, "too large"), random: 0)
        #expect(tooLarge == .conclude(Verdict(outcome: .failed, failure: "too large", seenAlive: false)))
        for kind in [TransportError.Kind.notConnected, .connectionLost, .timedOut] {
            guard
                case .retry = RunRules(maxWait: .seconds(600)).step(
                    Self.item(), error: TransportError(kind, ""), random: 0)
            else {
                Issue.record("\(kind) is to be tried again")
                return
            }
        }
    }

    @Test("The id of a 200 is compared as a UUID, in whatever case")
    func ownID() {
        let body = #"{"id": "\#(Self.runID.uuidString)", "status": "success", "errors": []}"#
        #expect(Self.step(200, body, Self.item()) == .conclude(Verdict(outcome: .success, seenAlive: true)))
    }

    @Test("Retry-After is the least wait")
    func retryAfter() {
        let answer = RunAnswer(APIResponse(status: 503), runID: Self.runID)
        let step = RunRules(maxWait: .seconds(600)).step(
            Self.item(), answer: answer, retryAfter: .seconds(90), at: Self.now, random: 0)
        guard case .retry(let gap) = step else {
            Issue.record("503 is to be tried again")
            return
        }
        #expect(gap >= .seconds(90))
    }

    @Test("A wait that is longer than the export has patience for is left to the next one")
    func longRetryAfter() {
        let answer = RunAnswer(APIResponse(status: 503), runID: Self.runID)
        let step = RunRules(maxWait: .seconds(600)).step(
            Self.item(), answer: answer, retryAfter: .seconds(3600), at: Self.now, random: 0)
        guard case .conclude(let verdict) = step else {
            Issue.record("503 is to be settled")
            return
        }
        #expect(verdict.outcome == .failed)
        #expect(
            verdict.failure
                == "the API answered 503, with a Retry-After of 3600 s: this export waits for 600 s at most")
    }
}
