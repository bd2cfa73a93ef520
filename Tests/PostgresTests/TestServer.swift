import Foundation
import Postgres
import Testing

/// The server that the tests run against, as the `PG*` variables name it. Without one every test that asks for it fails.
struct TestServer {
    struct Missing: Error, CustomStringConvertible {
        let description = "PGHOST and PGPORT are not set: run the tests by `scripts/with-postgres swift test`"
    }

    let host: String
    let port: UInt16

    init() throws {
        let environment = ProcessInfo.processInfo.environment
        guard let host = environment["PGHOST"], let port = environment["PGPORT"].flatMap(UInt16.init) else {
            throw Missing()
        }
        self.host = host
        self.port = port
    }

    static func connect(searchPath: String? = nil) async throws -> PostgresConnection {
        _ = try TestServer()
        return try await PostgresConnection(PostgresConfiguration(searchPath: searchPath))
    }

    /// Runs `body` with a database of its own, which is dropped afterwards.
    static func withDatabase<R>(
        options: String = "", _ body: (PostgresConfiguration) async throws -> R
    ) async throws -> R {
        let server = try await connect()
        let name = "test_\(UUID().uuidString.lowercased())"
        _ = try await server.query("create database \(quoteIdentifier(name)) \(options)")
        let result: Result<R, any Error>
        do {
            result = .success(try await body(PostgresConfiguration(connectionString: "dbname=\(name)")))
        } catch {
            result = .failure(error)
        }
        _ = try await server.query("drop database \(quoteIdentifier(name)) with (force)")
        await server.close()
        return try result.get()
    }
}

/// The error that `work` throws.
func failure(
    sourceLocation: SourceLocation = #_sourceLocation, of work: () async throws -> some Any
) async throws -> PostgresError {
    try await #require(throws: PostgresError.self, sourceLocation: sourceLocation) { _ = try await work() }
}

/// Returns once `condition`, asked of the server again and again, holds.
func wait(
    until condition: String, _ parameters: [PostgresParameter] = [], sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let observer = try await TestServer.connect()
    let deadline = ContinuousClock.now + .seconds(60)
    while try await observer.query("select (\(condition)) as holds", parameters)[0].decode("holds") != true {
        try #require(ContinuousClock.now < deadline, "never came true: \(condition)", sourceLocation: sourceLocation)
        await Task.yield()
    }
    await observer.close()
}
