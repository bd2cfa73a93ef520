import Foundation
import Testing

/// Limits of the process (`ulimit`) are looked at before anything is begun.
@Suite("Limits of the process")
struct LimitTests {
    private func run(_ stage: Stage, _ limit: String, _ arguments: [String]) async throws -> Program.Finished {
        try await Program(path: "/bin/sh").run(
            ["-c", #"ulimit \#(limit) && exec "$0" "$@""#, stage.tool.path] + arguments,
            environment: stage.environment, workingFolder: stage.folder)
    }

    /// The number that is needed, as the message has it.
    private func needed(_ ended: Program.Finished) throws -> Int {
        let number = ended.stderr.firstMatch(of: #/takes at least ([0-9]+)/#)?.output.1
        return try #require(number.flatMap { Int($0) }, "\(ended.stderr)")
    }

    private static let verbs = [
        "export --manifest today.json --refetch", "check", "status", "migrate", "validate --manifest today.json",
        "prune --older-than 1d --dry-run",
    ]

    @Test(arguments: verbs)
    func `With too few descriptors a call is refused with the number that is needed, which then does`(_ verb: String)
        async throws
    {
        try await Stage.with { stage in
            try stage.write(Manifest.of(20).json, to: "today.json")
            #expect(try await stage.run("migrate").status == 0)
            let arguments = verb.split(separator: " ").map(String.init)
            let refused = try await run(stage, "-n 12", arguments)
            #expect(refused.status == 78, "\(refused)")
            let least = try needed(refused)
            for number in [5, 10, 20, least - 1] where number < least {
                let ended = try await run(stage, "-n \(number)", arguments + ["--json"])
                #expect(ended.status == 78, "\(number): \(ended)")
                #expect(try ended.object()["exit_status"] as? Int == 78)
            }
            let enough = try await run(stage, "-n \(least)", arguments)
            #expect(enough.status == 0, "\(enough)")
        }
    }

    @Test func `With few descriptors fewer requests are made at once, and that is said`() async throws {
        try await Stage.with("--latency", "100") { stage in
            try stage.write(Manifest.of(20).json, to: "today.json")
            let arguments = ["export", "--manifest", "today.json", "--refetch"]
            let least = try needed(try await run(stage, "-n 12", arguments))
            let few = try await run(stage, "-n \(least + 4)", arguments)
            #expect(few.status == 0, "\(few)")
            #expect(few.stderr.contains("3 requests at once instead of 32"), "\(few.stderr)")
            // A soft limit is raised as far as it is needed and may be.
            let soft = try await run(stage, "-S -n 12", arguments)
            #expect(soft.status == 0, "\(soft)")
            #expect(!soft.stderr.contains("ulimit"), "\(soft.stderr)")
        }
    }

    @Test(arguments: verbs)
    func `With too little memory a call is refused with the number that is needed, which then does`(_ verb: String)
        async throws
    {
        try await Stage.with { stage in
            try stage.write(Manifest.of(20).json, to: "today.json")
            #expect(try await stage.run("migrate").status == 0)
            let arguments = verb.split(separator: " ").map(String.init)
            for option in ["-v", "-d"] {
                let refused = try await run(stage, option == "-v" ? "-v 180000" : "-d 40000", arguments)
                #expect(refused.status == 78, "\(option): \(refused)")
                let enough = try await run(stage, "\(option) \(try needed(refused))", arguments)
                #expect(enough.status == 0, "\(option): \(enough)")
            }
        }
    }

    @Test func `400 MB of addresses are enough for an export, whose answers may then be less large`() async throws {
        try await Stage.with { stage in
            try stage.write(Manifest.of(200).json, to: "today.json")
            let arguments = ["export", "--manifest", "today.json", "--json"]
            // A machine of many cores has more threads, each with a stack.
            let limit = max(400_000, try needed(try await run(stage, "-v 180000", arguments)))
            let ended = try await run(stage, "-v \(limit)", arguments)
            #expect(ended.status == 0, "\(ended)")
            let summary: Summary = try ended.decoded()
            #expect(summary.met == ["success": 200])
            #expect(ended.stderr.contains("ulimit -v"), "\(ended.stderr)")
        }
    }
}
