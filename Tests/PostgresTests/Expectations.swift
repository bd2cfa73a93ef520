import Foundation
import Postgres
import Support
import Testing

/// The error that `work` throws.
func failure(
    sourceLocation: SourceLocation = #_sourceLocation, of work: () async throws -> some Any
) async throws -> PostgresError {
    try await #require(throws: PostgresError.self, sourceLocation: sourceLocation) { _ = try await work() }
}

/// Runs `body` with a role of its own that may log in, which is dropped afterwards.
///
/// - Parameter options: further options of `create role`.
func withRole(_ options: String = "", _ body: (_ name: String) async throws -> Void) async throws {
    let server = try await TestServer.connect()
    let name = "role_\(UUID().uuidString.lowercased())"
    try await server.execute(script: "create role \(quoteIdentifier(name)) login \(options)")
    let result: Result<Void, any Error>
    do { result = .success(try await body(name)) } catch { result = .failure(error) }
    try await server.execute(script: "drop role \(quoteIdentifier(name))")
    await server.close()
    try result.get()
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
