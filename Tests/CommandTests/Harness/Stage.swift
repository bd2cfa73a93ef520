import Foundation
import Support
import Testing

/// What a test of a whole export stands on: the real program, a running sandbox, a database and a folder of its own.
struct Stage: Sendable {
    let sandbox: Sandbox
    let database: TestDatabase
    let folder: URL
    let tool: Program

    /// Few stages at a time: each has programs of its own, and the machine has few cores.
    private static let stages = Turnstile(5)

    /// - Parameter options: of the sandbox, which limits no rate unless told to.
    static func with<R: Sendable>(
        _ options: String..., body: @escaping @Sendable (Stage) async throws -> R
    ) async throws -> R {
        try await with(all: options, body: body)
    }

    static func with<R: Sendable>(
        all options: [String], body: @escaping @Sendable (Stage) async throws -> R
    ) async throws -> R {
        await stages.enter()
        let result = await outcome { try await beside(options, body) }
        await stages.leave()
        return try result.get()
    }

    /// The same without a turn: for those who take turns by themselves.
    static func beside<R: Sendable>(
        _ options: [String], _ body: @escaping @Sendable (Stage) async throws -> R
    ) async throws -> R {
        let all = options.contains("--limit") ? options : ["--limit", "0"] + options
        return try await TestDatabase.with { database in
            try await Sandbox.with(all) { sandbox in
                let folder = FileManager.default.temporaryDirectory.appending(path: database.name)
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(at: folder) }
                let tool = try Program(built: "stored-actions")
                return try await body(Stage(sandbox: sandbox, database: database, folder: folder, tool: tool))
            }
        }
    }

    var environment: [String: String] {
        let own = [
            "PATH": "/usr/bin:/bin", "HOME": folder.path, "ZAPIER_API_URL": sandbox.url,
            "ZAPIER_ACCESS_TOKEN": Sandbox.token,
        ]
        return own.merging(database.environment) { $1 }
    }

    /// Runs the program.
    ///
    /// - Parameter changes: of the environment; nil takes a variable out.
    func run(
        _ arguments: String..., changes: [String: String?] = [:], input: String = "",
        during: @escaping @Sendable (Program.Running) async throws -> Void = { _ in }
    ) async throws -> Program.Finished {
        try await run(arguments, changes: changes, input: Array(input.utf8), during: during)
    }

    func run(
        _ arguments: [String], changes: [String: String?] = [:], input: [UInt8] = [],
        during: @escaping @Sendable (Program.Running) async throws -> Void = { _ in }
    ) async throws -> Program.Finished {
        var environment = environment
        for (name, value) in changes { environment[name] = value }
        return try await tool.run(
            arguments, environment: environment, input: input, workingFolder: folder, during: during)
    }

    /// `export --json` of the manifest, which is written to a file of its name first.
    func export(
        _ manifest: Manifest, _ options: String..., changes: [String: String?] = [:],
        during: @escaping @Sendable (Program.Running) async throws -> Void = { _ in }
    ) async throws -> Export {
        try await export(manifest, options: options, changes: changes, during: during)
    }

    func export(
        _ manifest: Manifest, options: [String], changes: [String: String?] = [:],
        during: @escaping @Sendable (Program.Running) async throws -> Void = { _ in }
    ) async throws -> Export {
        let path = try write(manifest.json, to: "\(manifest.name).json")
        let finished = try await run(
            ["export", "--manifest", path, "--json"] + options, changes: changes, during: during)
        return Export(finished: finished)
    }

    /// - Returns: the file's path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let file = folder.appending(path: name)
        try Data(bytes).write(to: file)
        return file.path
    }
}

/// An export that has ended.
struct Export: Sendable {
    let finished: Program.Finished

    var status: Int32 { finished.status }

    /// - Throws: when stdout is not one JSON object with the keys of the contract.
    var summary: Summary { get throws { try finished.decoded() } }
}

/// What `export --json` prints.
struct Summary: Decodable, Sendable {
    struct Requests: Decodable, Sendable {
        let total: Int
        let byStatus: [String: Int]
    }

    let exportId: Int
    let manifests: [String]
    let outcome: String
    let exitStatus: Int32
    let items: Int
    let outcomes: [String: Int]
    let alreadySettled: Int
    let results: Int
    let errors: Int
    let pagesFollowed: Int
    let chains: [String: Int]
    let requests: Requests
    let rateLimited: Int
    let waitedForBudgetS: Double
    let durationS: Double
    let unfinishedElsewhere: Int

    /// The outcomes that some item has.
    var met: [String: Int] { outcomes.filter { $0.value > 0 } }
}

extension Program.Finished {
    struct NotOneObject: Error, CustomStringConvertible {
        let description: String
    }

    func decoded<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(T.self, from: Data(stdout.utf8))
        } catch {
            throw NotOneObject(description: "\(error); exit status \(status), stdout: \(stdout), stderr: \(stderr)")
        }
    }

    /// The one JSON object that stdout holds.
    func object() throws -> [String: Any] {
        guard let object = try? JSONSerialization.jsonObject(with: Data(stdout.utf8)) as? [String: Any] else {
            throw NotOneObject(description: "exit status \(status), stdout: \(stdout), stderr: \(stderr)")
        }
        return object
    }
}

/// Returns once `condition` holds, which is looked at again and again.
func wait(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
    until condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + Program.hangLimit
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "never: \(what)", sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Returns once `condition` holds while the program runs; fails as soon as the program has ended without it.
func wait(
    _ what: String, during program: Program.Running, sourceLocation: SourceLocation = #_sourceLocation,
    until condition: () async throws -> Bool
) async throws {
    try await wait(what, sourceLocation: sourceLocation) {
        // Read first, for the condition may come true just before the program ends.
        let hasEnded = program.hasEnded
        if try await condition() { return true }
        try #require(!hasEnded, "the program ended before: \(what)", sourceLocation: sourceLocation)
        return false
    }
}

extension Program.Running {
    /// Sends the signal until the program has ended. Within a second of an earlier signal it counts as that one's echo;
    /// the program's own clock decides when that second is over.
    func end(by signal: Int32) async throws {
        try await wait("signal \(signal) ends the program") {
            if hasEnded { return true }
            send(signal)
            return false
        }
    }
}

extension Program.Finished {
    /// Logged once for each wait, when requests leave again.
    static let windowReopened = "the rate window is open again"

    /// How often requests waited for a spent window to end, by the log, which leaves out waits of less than a second. A
    /// slow machine may spend fewer windows, and none spends more.
    func windowsWaitedFor(_ requests: String = "reads") -> Int {
        stderr.split(separator: "\n").count { $0.contains("\(Self.windowReopened): \(requests) waited") }
    }
}
