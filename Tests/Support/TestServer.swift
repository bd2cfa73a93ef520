import Foundation
import Postgres

/// The server that the tests run against, as the `PG*` variables name it. Without one every test that asks for it fails.
package struct TestServer {
    package struct Missing: Error, CustomStringConvertible {
        package let description = "PGHOST and PGPORT are not set: run the tests by `scripts/with-postgres swift test`"
    }

    package let host: String
    package let port: UInt16

    private static let databases = Turnstile(9)

    package init() throws {
        let environment = ProcessInfo.processInfo.environment
        guard let host = environment["PGHOST"], let port = environment["PGPORT"].flatMap(UInt16.init) else {
            throw Missing()
        }
        self.host = host
        self.port = port
    }

    package static func connect(searchPath: String? = nil) async throws -> PostgresConnection {
        _ = try TestServer()
        return try await PostgresConnection(PostgresConfiguration(searchPath: searchPath))
    }

    /// Runs `body` with a database of its own, which is dropped afterwards.
    package static func withDatabase<R>(
        options: String = "", _ body: (PostgresConfiguration) async throws -> R
    ) async throws -> R {
        await databases.enter()
        let result = await result { try await withUnlimitedDatabase(options, body) }
        await databases.leave()
        return try result.get()
    }

    private static func withUnlimitedDatabase<R>(
        _ options: String, _ body: (PostgresConfiguration) async throws -> R
    ) async throws -> R {
        let server = try await connect()
        let name = "test_\(UUID().uuidString.lowercased())"
        _ = try await server.query("create database \(quoteIdentifier(name)) \(options)")
        let result = await result { try await body(PostgresConfiguration(connectionString: "dbname=\(name)")) }
        _ = try await server.query("drop database \(quoteIdentifier(name)) with (force)")
        await server.close()
        return try result.get()
    }

    private static func result<R>(_ body: () async throws -> R) async -> Result<R, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
