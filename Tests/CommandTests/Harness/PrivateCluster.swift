import Foundation
import Postgres

/// A PostgreSQL server of a test's own, which it may crash.
struct PrivateCluster: Sendable {
    private static let script = Repository.root.appending(path: "scripts/postgres").path

    struct ScriptFailed: Error, CustomStringConvertible {
        let description: String
    }

    let folder: URL
    let environment: [String: String]

    static func with<R: Sendable>(_ body: @escaping @Sendable (PrivateCluster) async throws -> R) async throws -> R {
        let folder = FileManager.default.temporaryDirectory.appending(path: "pg-\(UUID().uuidString.prefix(8))")
        try await run("create", folder)
        let port = try String(contentsOf: folder.appending(path: "port"), encoding: .utf8)
            .trimmingCharacters(in: .newlines)
        let cluster = PrivateCluster(
            folder: folder,
            environment: ["PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": "postgres"])
        let result = await outcome {
            try await cluster.start()
            return try await body(cluster)
        }
        try await run("remove", folder)
        return try result.get()
    }

    func start() async throws { try await Self.run("start", folder) }
    /// As when the machine loses its power.
    func crash() async throws { try await Self.run("stop", folder, "immediate") }

    /// Comes back as one that takes no writes. The connections of before are gone.
    func becomeStandby() async throws {
        try await Self.run("stop", folder)
        try Data().write(to: folder.appending(path: "data/standby.signal"))
        try await start()
    }

    /// A connection to it as it is now.
    func database() async throws -> TestDatabase {
        let settings = "host=127.0.0.1 port=\(environment["PGPORT"] ?? "") user=postgres dbname=postgres"
        return TestDatabase(
            name: "postgres", environment: environment,
            connection: try await PostgresConnection(
                PostgresConfiguration(connectionString: settings, searchPath: "stored_actions")))
    }

    private static func run(_ verb: String, _ folder: URL, _ mode: String...) async throws {
        let finished = try await Program(path: script).run(
            [verb, folder.path] + mode, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
        guard finished.status == 0 else {
            throw ScriptFailed(description: "scripts/postgres \(verb): \(finished.status) \(finished.stderr)")
        }
    }
}
