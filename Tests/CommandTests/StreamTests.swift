import Foundation
import Testing

/// What becomes of the standard streams: a result that cannot be written, descriptors that the caller has closed, and
/// silence on request.
@Suite("Standard streams")
struct StreamTests {
    /// Runs the program by a shell, which redirects its streams.
    private func run(
        _ stage: Stage, _ arguments: [String], _ redirection: String, before: String = "",
        changes: [String: String?] = [:],
        during: @escaping @Sendable (Program.Running) async throws -> Void = { _ in }
    ) async throws -> Program.Finished {
        var environment = stage.environment
        for (name, value) in changes { environment[name] = value }
        return try await Program(path: "/bin/sh").run(
            ["-c", #"\#(before)exec "$0" "$@" \#(redirection)"#, stage.tool.path] + arguments,
            environment: environment, workingFolder: stage.folder, during: during)
    }

    // MARK: A result that cannot be written

    @Test func `A result that a full disk does not take exits 74 with the reason on stderr, whatever the verb`()
        async throws
    {
        try await Stage.with { stage in
            try stage.write(Manifest.of(2).json, to: "today.json")
            for call in [
                "export --manifest today.json", "export --manifest today.json --json",
                "export --manifest today.json --json --quiet", "export --unfinished", "status", "status --json",
                "status --export 1", "validate --manifest today.json", "validate --manifest today.json --json", "check",
                "check --json", "migrate", "migrate --check", "migrate --print-roles", "prune --older-than 1d",
                "prune --older-than 1d --dry-run --json", "--help", "help", "help export", "export --help", "check -h",
                "--version", "--generate-completion-script bash",
            ] {
                let full = try await run(stage, call.split(separator: " ").map(String.init), ">/dev/full")
                #expect(full.status == 74, "\(call)")
                #expect(
                    full.stderr.contains("the result could not be written to stdout: No space left on device"),
                    "\(call): \(full.stderr)")
            }
            #expect(try await stage.database.count("exports where outcome = 'complete'") == 4)
        }
    }

    @Test func `A result that a full disk does not take is graver than one that is incomplete, and no failure's worth`()
        async throws
    {
        try await Stage.with { stage in
            try stage.write(Manifest.of(2, .pending).json, to: "pending.json")
            try stage.write("{", to: "broken.json")
            for (call, changes, status) in [
                ("export --manifest pending.json --max-wait 0", [:], 74),
                ("export --manifest pending.json --max-wait 0 --json", [:], 74),
                ("validate --manifest broken.json --json", [:], 65), ("status --export 99 --json", [:], 64),
                ("export --json", [:], 64), ("status --json", ["PGPORT": "9"], 69),
                ("export --manifest pending.json --json", ["ZAPIER_ACCESS_TOKEN": "wrong"], 77),
                ("export --manifest pending.json --json", ["ZAPIER_ACCESS_TOKEN": nil], 78),
            ] as [(String, [String: String?], Int32)] {
                let full = try await run(
                    stage, call.split(separator: " ").map(String.init), ">/dev/full", changes: changes)
                #expect(full.status == status, "\(call): \(full.stderr)")
                #expect(full.stderr.contains("could not be written to stdout"), "\(call): \(full.stderr)")
            }
        }
    }

    private static let sinks: [(what: String, before: String, redirection: String)] = [
        ("a pipe that has no reader", "mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; ", ">&4 4>&-"),
        ("a file that has reached its limit", "ulimit -f 0; ", ">file"),
        ("a descriptor that is open for reading alone", "", "1</dev/null"),
    ]

    @Test(arguments: sinks.indices)
    func `Neither does any other place that takes no bytes`(_ index: Int) async throws {
        let sink = Self.sinks[index]
        try await Stage.with { stage in
            try stage.write(Manifest.of(2).json, to: "today.json")
            for call in ["export --manifest today.json --json", "--version"] {
                let lost = try await run(
                    stage, call.split(separator: " ").map(String.init), sink.redirection,
                    before: "rm -f pipe; " + sink.before)
                #expect(lost.status == 74, "\(sink.what), \(call): \(lost.stderr)")
                #expect(lost.stderr.contains("could not be written to stdout"), "\(sink.what): \(lost.stderr)")
            }
        }
    }

    @Test func `Who asks for no output loses none to a full disk, and stderr may be full`() async throws {
        try await Stage.with { stage in
            try stage.write(Manifest.of(2).json, to: "today.json")
            let arguments = ["export", "--manifest", "today.json"]
            #expect(try await run(stage, arguments + ["--quiet"], ">/dev/full").status == 0)
            let mute = try await run(stage, arguments + ["--json"], "2>/dev/full")
            #expect(mute.status == 0)
            #expect(try mute.object()["exit_status"] as? Int == 0)
        }
    }

    // MARK: Closed descriptors

    @Test(arguments: 1...7)
    func `A descriptor that the caller has closed is /dev/null, and no socket takes its number`(_ closed: Int)
        async throws
    {
        let descriptors = (0...2).filter { closed & 1 << $0 != 0 }
        try await Stage.with("--latency", "400") { stage in
            try stage.write(Manifest.of(3).json, to: "today.json")
            let redirection = descriptors.map { "\($0)>&-" }.joined(separator: " ")
            let ended = try await run(
                stage, ["export", "--manifest", "today.json", "--json"], redirection,
                // Its descriptors are to be seen by others than root, too.
                changes: ["STORED_ACTIONS_CORE_DUMPS": "1"]
            ) { program in
                try await wait("the API is asked") { try await stage.sandbox.stats.requests > 0 }
                for descriptor in descriptors {
                    let link = try FileManager.default.destinationOfSymbolicLink(
                        atPath: "/proc/\(program.pid)/fd/\(descriptor)")
                    #expect(link == "/dev/null")
                }
            }
            #expect(ended.status == 0, "\(ended.stderr)")
            #expect(descriptors.contains(1) == ended.stdout.isEmpty)
            #expect(descriptors.contains(2) == ended.stderr.isEmpty)
            #expect(
                try await stage.database.rows("select outcome, exit_status, items from exports") == ["complete|0|3"])
        }
    }

    @Test func `A manifest from a closed stdin is empty`() async throws {
        try await Stage.with { stage in
            let ended = try await run(stage, ["validate", "--manifest", "-"], "<&-")
            #expect(ended.status == 65, "\(ended.stderr)")
        }
    }

    // MARK: Silence

    @Test func `--quiet prints nothing at all when all is well, whatever the verb`() async throws {
        try await Stage.with { stage in
            try stage.write(Manifest.of(2).json, to: "today.json")
            for call in [
                "validate --manifest today.json", "check", "migrate", "migrate --check", "export --manifest today.json",
                "export --manifest today.json --log-level trace --log-format json", "export --unfinished", "status",
                "prune --older-than 1d --dry-run",
            ] {
                let arguments = call.split(separator: " ").map(String.init) + ["--quiet"]
                let quiet = try await stage.run(arguments)
                #expect(quiet.status == 0 && quiet.stdout == "" && quiet.stderr == "", "\(call): \(quiet)")
                let json = try await stage.run(arguments + ["--json"])
                #expect(json.status == 0 && json.stderr == "", "\(call): \(json)")
                #expect(try json.object()["exit_status"] as? Int == 0)
            }
        }
    }

    @Test func `--quiet prints what it would have printed when something is wrong`() async throws {
        try await Stage.with { stage in
            try stage.write(Manifest.of(2, .pending).json, to: "pending.json")
            try stage.write(Manifest.of(1, .conflict).json, to: "rejected.json")
            try stage.write(Manifest.of(1).json, to: "good.json")
            try stage.write("{", to: "broken.json")
            for (call, changes, status) in [
                ("export --manifest pending.json --max-wait 0 --log-format json", [:], 75),
                ("export --manifest rejected.json", [:], 3),
                ("export --manifest good.json", ["ZAPIER_ACCESS_TOKEN": nil], 78),
                ("export --manifest good.json", ["PGDATABASE": "no_such_database"], 78),
                ("check", ["ZAPIER_ACCESS_TOKEN": "wrong"], 77), ("validate --manifest broken.json", [:], 65),
                ("status --export 99", [:], 64), ("export --no-such-option", [:], 64),
            ] as [(String, [String: String?], Int32)] {
                let arguments = call.split(separator: " ").map(String.init)
                let loud = try await stage.run(arguments, changes: changes)
                let quiet = try await stage.run(arguments + ["--quiet"], changes: changes)
                #expect(loud.status == status, "\(call): \(loud.stderr)")
                #expect(quiet.status == status, "\(call): \(quiet.stderr)")
                #expect(Self.lasting(quiet.stderr) == Self.lasting(loud.stderr), "\(call)")
                #expect(Self.lasting(quiet.stdout) == Self.lasting(loud.stdout), "\(call)")
                #expect(!(quiet.stdout + quiet.stderr).isEmpty)
            }
        }
    }

    /// Without what differs between two calls of one command: times, numbers, and the option itself.
    private static func lasting(_ text: String) -> [String] {
        text.split(separator: "\n").filter { !$0.contains("applied migration") }.map {
            String($0).replacing(" --quiet", with: "").replacing(#/[0-9]+([.,][0-9]+)*/#, with: "N")
        }
    }

    @Test func `A signal under --quiet is reported`() async throws {
        try await Stage.with { stage in
            try stage.write(Manifest.endless(2).json, to: "endless.json")
            let ended = try await stage.run("export", "--manifest", "endless.json", "--quiet") { program in
                try await wait("requests in flight") { try await stage.sandbox.stats.requests == 3 }
                program.send(SIGTERM)
            }
            #expect(ended.status == 143)
            #expect(ended.stdout.contains("interrupted") && ended.stderr.contains("signal 15"))
        }
    }

    // MARK: Nothing to do

    @Test(arguments: [[], ["--"]])
    func `A call that names no subcommand is bad usage, and says so on stderr`(_ arguments: [String]) async throws {
        let tool = try Program(built: "stored-actions")
        let ended = try await tool.run(arguments, environment: [:])
        #expect(ended.status == 64)
        #expect(ended.stdout == "")
        #expect(ended.stderr.contains("Nothing to do: name a subcommand"), "\(ended.stderr)")
        #expect(ended.stderr.contains("Usage: stored-actions"), "\(ended.stderr)")
    }

    // MARK: Memory

    @Test(arguments: [nil, "", "0", "1"])
    func `A process leaves no core dump and lets nobody look into it, unless a variable allows it`(
        _ setting: String?
    ) async throws {
        try await Stage.with("--latency", "400") { stage in
            try stage.write(Manifest.of(1).json, to: "today.json")
            var environment = stage.environment
            environment["STORED_ACTIONS_CORE_DUMPS"] = setting
            // What may not be dumped belongs to root in /proc: here to root's group, so that this shows to root, too.
            let inOtherGroup = ["/usr/bin/setpriv", "--regid", "65534", "--clear-groups"]
            let call =
                (geteuid() == 0 ? inOtherGroup : []) + [stage.tool.path, "export", "--manifest", "today.json"]
            let ended = try await Program(path: call[0]).run(
                Array(call.dropFirst()), environment: environment, workingFolder: stage.folder
            ) { program in
                try await wait("the API is asked") { try await stage.sandbox.stats.requests > 0 }
                var status = stat()
                try #require(stat("/proc/\(program.pid)/fd", &status) == 0)
                let owner = geteuid() == 0 ? status.st_gid : status.st_uid
                #expect((owner == 0) == (setting != "1"))
            }
            #expect(ended.status == 0, "\(ended.stderr)")
        }
    }
}
