import Postgres
import Support
import Testing

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
