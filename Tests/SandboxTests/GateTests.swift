import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("Who gets in, and where to")
struct GateTests {
    private let run = Scenario.success.id(2)
    private var path: String { Route.path(action: ActionKind.read.id(1), run: run) }

    @Test(
        "a call without a good token is 401, or 403 where told so, with authentication_failed", arguments: [401, 403])
    func badToken(_ status: Int) async throws {
        try await RunningSandbox.with(Settings(rejectWith: status)) { sandbox in
            for token in [nil, "wrong"] {
                let reply = try await sandbox.get(path, token: token)
                #expect(reply.status == status && reply.body.contains("authentication_failed"))
            }
            #expect(try await sandbox.get(path).status == 200)
            #expect(try await sandbox.get("/sandbox/stats", token: nil).json?["unauthorized"] as? Int == 2)
        }
    }

    @Test("all calls can be forbidden, lost or down")
    func everything() async throws {
        try await RunningSandbox.with(Settings(forbidsEverything: true)) { sandbox in
            let reply = try await sandbox.get(path)
            #expect(reply.status == 403 && reply.body.contains("permission_denied"))
            _ = try await sandbox.post("/sandbox/settings", #"{"forbid_everything":false,"lose_everything":true}"#)
            #expect(try await sandbox.get(path).status == 404)
            _ = try await sandbox.post("/sandbox/settings", #"{"down":true}"#)
            #expect(try await sandbox.get(path).status == 503)
            _ = try await sandbox.post("/sandbox/settings", #"{"down":false,"lose_everything":false}"#)
            #expect(try await sandbox.get(path).status == 200)
        }
    }

    @Test("unknown paths are 404, wrong methods 405 with what is allowed")
    func routes() async throws {
        try await RunningSandbox.with { sandbox in
            for path in ["/", "/actions/v2", "/actions/v1/stored-actions/x", "\(path)/more", "/sandbox/nothing"] {
                let reply = try await sandbox.get(path)
                #expect(reply.status == 404 && reply.body.contains("not_found"))
            }
            let reply = try await sandbox.post(path, "{}", "Authorization: Bearer sandbox-token")
            #expect(reply.status == 405 && reply.headers["allow"] == "GET")
        }
    }

    @Test(
        "a look-up tells the action's type, flat or under `data`; some kinds refuse it", arguments: ActionKind.allCases)
    func lookups(_ kind: ActionKind) async throws {
        try await RunningSandbox.with { sandbox in
            for number in [UInt64(1), 2] {
                let reply = try await sandbox.get("/actions/v1/stored-actions/\(kind.id(number))")
                switch kind {
                case .forbidden, .forbiddenLookup: #expect(reply.status == 403)
                case .missing, .missingLookup: #expect(reply.status == 404)
                case .failingLookup: #expect(reply.status == 500)
                default:
                    let action = number == 1 ? reply.json?["data"] as? NSDictionary : reply.json
                    #expect(action?["action_type"] as? String == kind.actionType)
                    #expect(action?["type"] as? String == "stored_action")
                }
            }
        }
    }

    @Test("a look-up fails V times and then tells a bulk read; one refused by the gate is no attempt")
    func failingLookup() async throws {
        try await RunningSandbox.with { sandbox in
            let path = "/actions/v1/stored-actions/\(ActionKind.failingLookup.id(2, parameter: 2))"
            #expect(try await sandbox.get(path, token: "wrong").status == 401)
            for _ in 0..<2 { #expect(try await sandbox.get(path).status == 500) }
            let told = try await sandbox.get(path)
            #expect(told.status == 200 && told.json?["action_type"] as? String == "read_bulk")
        }
    }

    @Test(
        "a refused look-up need not mean refused POSTs",
        arguments: [
            (ActionKind.forbiddenLookup, 201), (.missingLookup, 201), (.failingLookup, 201), (.forbidden, 403),
            (.missing, 404),
        ])
    func startsWithoutLookup(_ kind: ActionKind, _ status: Int) async throws {
        try await RunningSandbox.with { sandbox in
            let path = "/actions/v1/stored-actions/\(kind.id(1))/run"
            let body = #"{"data":{"inputs":{},"page":"1"}}"#
            let reply = try await sandbox.post(path, body, "Authorization: Bearer sandbox-token")
            #expect(reply.status == status)
        }
    }

    @Test("the list holds the stored actions")
    func list() async throws {
        try await RunningSandbox.with { sandbox in
            let reply = try await sandbox.get("/actions/v1/stored-actions?limit=5")
            #expect((reply.json?["results"] as? [Any])?.count == ActionKind.allCases.count - 5)
        }
    }

    @Test(
        "a setting that is unknown or out of range is refused and changes nothing",
        arguments: [
            #"{"limits":1}"#, #"{"limit":-1}"#, #"{"limit":7,"window":0}"#, #"{"limit":"7"}"#, "[]", "",
        ])
    func badSettings(_ body: String) async throws {
        try await RunningSandbox.with { sandbox in
            let reply = try await sandbox.post("/sandbox/settings", body)
            #expect(reply.status == 400)
            let unchanged = try await sandbox.get(path)
            #expect(unchanged.headers["x-ratelimit-limit"] == "600")
        }
    }
}
