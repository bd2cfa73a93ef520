import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("Rate limits")
struct RateLimitTests {
    private let start = Date(timeIntervalSince1970: 1_000_000)

    @Test("a window opens with the first request, lets its limit through and no more, and ends on time")
    func window() {
        var window = RateWindow(limit: 2, length: 3)
        let first = window.take(at: start)
        #expect(first == .init(isAllowed: true, limit: 2, remaining: 1, resetsAt: start + 3))
        #expect(window.take(at: start + 1)?.remaining == 0)
        #expect(window.take(at: start + 2) == .init(isAllowed: false, limit: 2, remaining: 0, resetsAt: start + 3))
        #expect(window.take(at: start + 2.99)?.isAllowed == false)
        #expect(window.take(at: start + 10) == .init(isAllowed: true, limit: 2, remaining: 1, resetsAt: start + 13))
    }

    @Test("looking at a window uses nothing up and opens nothing")
    func looking() {
        var window = RateWindow(limit: 2, length: 3)
        #expect(window.look(at: start)?.remaining == 2)
        #expect(window.take(at: start + 1)?.resetsAt == start + 4)
        #expect(window.look(at: start + 2)?.remaining == 1)
    }

    @Test("a limit of 0 exempts: no reading, so no headers")
    func exempt() async throws {
        var window = RateWindow(limit: 0, length: 3)
        #expect(window.take(at: start) == nil)
        try await RunningSandbox.with(Settings(limit: 0)) { sandbox in
            let reply = try await sandbox.run(Scenario.success.id(1))
            #expect(reply.status == 200 && reply.headers["x-ratelimit-limit"] == nil)
        }
    }

    @Test("over the limit comes 429 with the time to wait; after the window all is well again")
    func overHTTP() async throws {
        try await RunningSandbox.with(Settings(window: 2.5, limit: 2)) { sandbox in
            let id = Scenario.success.id(1)
            let first = try await sandbox.run(id)
            #expect(first.headers["x-ratelimit-limit"] == "2" && first.headers["x-ratelimit-remaining"] == "1")
            #expect(first.headers["x-ratelimit-reset"] == "1795167003")
            #expect(try await sandbox.run(Scenario.pending.id(1)).headers["x-ratelimit-remaining"] == "0")
            let refused = try await sandbox.run(id)
            #expect(refused.status == 429 && refused.headers["retry-after"] == "3")
            #expect(refused.headers["x-ratelimit-remaining"] == "0" && refused.body.contains("too_many_requests"))
            sandbox.time.advance(by: 2.5)
            #expect(try await sandbox.run(id).status == 200)
        }
    }

    @Test("reads and started runs have a bucket each; a refused read is no attempt of its run")
    func buckets() async throws {
        try await RunningSandbox.with(Settings(limit: 1, runLimit: 1)) { sandbox in
            let path = "/actions/v1/stored-actions/\(ActionKind.write.id(1))/run"
            let body = #"{"data":{"inputs":{}}}"#
            func start() async throws -> Int? {
                try await sandbox.post(path, body, "Authorization: Bearer sandbox-token").status
            }
            func read() async throws -> Int? {
                try await sandbox.run(Scenario.pending.id(1, parameter: 2)).status
            }
            let first = (try await read(), try await start())
            #expect(first == (202, 201))
            let refused = (try await read(), try await start())
            #expect(refused == (429, 429))
            sandbox.time.advance(by: 300)
            let second = try await read()
            sandbox.time.advance(by: 300)
            let third = try await read()
            #expect(second == 202 && third == 200)
        }
    }

    @Test("no rate-limit headers come with a 403")
    func noneWith403() async throws {
        try await RunningSandbox.with { sandbox in
            let reply = try await sandbox.run(Scenario.forbidden.id(1))
            #expect(reply.status == 403 && reply.headers["x-ratelimit-remaining"] == nil)
            #expect(try await sandbox.run(Scenario.expired.id(1)).headers["x-ratelimit-remaining"] == "598")
        }
    }

    @Test(
        "the reset is written in each of its forms, on the server's clock",
        arguments: [
            (Settings.ResetFormat.epoch, "1795167311"), (.epochMilliseconds, "1795167310250"),
            (.epochFraction, "1795167310.250"), (.iso8601, "2026-11-20T09:35:11Z"), (.seconds, "300"),
            (.none, "absent"),
        ])
    func resetForms(_ format: Settings.ResetFormat, _ expected: String) {
        var settings = Settings()
        settings.resetFormat = format
        settings.clockOffset = 10
        let now = Date(timeIntervalSince1970: 1_795_167_000.25)
        let reading = RateWindow.Reading(isAllowed: true, limit: 5, remaining: 4, resetsAt: now + 300)
        let headers = ResponseHeaders(settings: settings, now: now).all(for: Answer(status: 200), rate: reading)
        #expect((headers[.rateLimitReset] ?? "absent") == expected)
        #expect(headers[.date] == "Fri, 20 Nov 2026 09:30:10 GMT")
    }

    @Test(
        "Retry-After is written in each of its forms",
        arguments: [
            (Settings.RetryAfterFormat.seconds, "1"), (.date, "Fri, 20 Nov 2026 09:30:02 GMT"), (.none, "absent"),
        ])
    func retryAfterForms(_ format: Settings.RetryAfterFormat, _ expected: String) async throws {
        try await RunningSandbox.with(Settings(retryAfterFormat: format)) { sandbox in
            let reply = try await sandbox.run(Scenario.unavailable.id(1))
            #expect(reply.status == 503 && (reply.headers["retry-after"] ?? "absent") == expected)
        }
    }
}
