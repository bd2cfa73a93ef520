import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("Connections and counts")
struct ConnectionTests {
    @Test("a cut body ends early, whatever its head promised; no answer is none at all; both recover")
    func cuts() async throws {
        try await RunningSandbox.with { sandbox in
            let cut = Scenario.cut.id(1, parameter: 1)
            let broken = try await sandbox.run(cut)
            #expect(broken.status == 200 && !broken.isWhole && !broken.body.isEmpty)
            #expect(try await sandbox.run(cut).isWhole)
            let silent = Scenario.noAnswer.id(1, parameter: 1)
            #expect(try await sandbox.run(silent).status == nil)
            #expect(try await sandbox.run(silent).status == 200)
        }
    }

    @Test("slow, stalling and dripping answers come whole, after their pauses")
    func pauses() async throws {
        try await RunningSandbox.with { sandbox in
            #expect(try await sandbox.run(Scenario.slow.id(2, parameter: 7)).isWhole)
            #expect(sandbox.time.pauses == [.milliseconds(70)])
            #expect(try await sandbox.run(Scenario.stall.id(2, parameter: 9)).isWhole)
            #expect(sandbox.time.pauses.last == .milliseconds(90))
            let dripped = try await sandbox.run(Scenario.drip.id(2))
            #expect(dripped.isWhole && dripped.json != nil)
            let pieces = (dripped.body.utf8.count + 15) / 16
            #expect(sandbox.time.pauses.count == 2 + pieces - 1)
        }
    }

    @Test("latency comes before every answer, its jitter at most as told")
    func latency() async throws {
        try await RunningSandbox.with(Settings(latency: 30, latencyJitter: 20)) { sandbox in
            for number in UInt64(0)..<20 { _ = try await sandbox.run(Scenario.success.id(number)) }
            #expect(sandbox.time.pauses.allSatisfy { (.milliseconds(30) ... .milliseconds(50)).contains($0) })
            #expect(Set(sandbox.time.pauses).count > 5)
        }
    }

    @Test("gzip comes to those who accept it, and only to them")
    func gzip() async throws {
        try await RunningSandbox.with { sandbox in
            let id = Scenario.gzip.id(2)
            let plain = try await sandbox.run(id)
            #expect(plain.headers["content-encoding"] == nil && plain.json != nil)
            #expect(try await sandbox.run(id, "Accept-Encoding: deflate, gzip").headers["content-encoding"] == "gzip")
        }
        #expect(Gzip.crc32(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(Gzip.stored(Array("abc".utf8)).count == 26)
        let blocks = Gzip.stored([UInt8](repeating: 1, count: 70_000))
        #expect(blocks.count == 70_028)
    }

    @Test("a redirect leads to a run on this server")
    func redirect() async throws {
        try await RunningSandbox.with { sandbox in
            let reply = try await sandbox.run(Scenario.redirect.id(2, parameter: 3))
            let location = try #require(reply.headers["location"])
            #expect(reply.status == 307)
            #expect(try await sandbox.get(location).status == 200)
        }
    }

    @Test("the share of faults is as told, and the same for the same seed")
    func faults() {
        func drawn(_ seed: UInt64, _ rate: Double) -> [Fault?] {
            (0..<2000).map { Fault.drawn(rate: rate, seed: seed, path: "/run/\($0)", request: 1) }
        }
        #expect(drawn(1, 0.2) == drawn(1, 0.2))
        #expect(drawn(1, 0.2) != drawn(2, 0.2))
        #expect((300...500).contains(drawn(1, 0.2).compactMap(\.self).count))
        #expect(drawn(1, 0).allSatisfy { $0 == nil })
        #expect(Set(drawn(1, 1).map { "\(String(describing: $0))" }).count == 3)
    }

    @Test("requests, statuses and final answers are counted; control calls are not; a reset forgets them")
    func counts() async throws {
        try await RunningSandbox.with { sandbox in
            let pending = Scenario.pending.id(1, parameter: 1)
            for id in [pending, pending, Scenario.expired.id(1), Scenario.html.id(1), Scenario.noAnswer.id(1)] {
                _ = try await sandbox.run(id)
            }
            let stats = try #require(try await sandbox.get("/sandbox/stats", token: nil).json)
            #expect(stats["requests"] as? Int == 5 && stats["reads"] as? Int == 5)
            #expect(stats["max_in_flight"] as? Int == 1)
            #expect(stats["by_status"] as? NSDictionary == ["202": 1, "200": 2, "404": 1, "none": 1])
            let finals = try await sandbox.get("/sandbox/finals", token: nil)
            #expect(finals.json == ["\(pending)": 1, "\(Scenario.expired.id(1))": 1])
            let paths = try await sandbox.get("/sandbox/requests", token: nil)
            #expect(paths.json?["GET " + Route.path(action: ActionKind.read.id(1), run: pending)] as? Int == 2)
            #expect(try await sandbox.post("/sandbox/reset", "").status == 200)
            #expect(try await sandbox.get("/sandbox/finals", token: nil).body == "{}")
            #expect(try await sandbox.run(pending).status == 202)
        }
    }
}
