extension PostgresSession {
    /// A session whose first connection is tried for some seconds only: long enough for a server that is just starting,
    /// short enough to report a wrong address soon.
    private static func atStart(
        _ configuration: PostgresConfiguration, reconnect: ReconnectPolicy, observer: (any PostgresSessionObserver)?,
        onConnect: @escaping @Sendable (PostgresConnection) async throws -> Void
    ) -> PostgresSession {
        PostgresSession(
            configuration, reconnect: reconnect, firstConnect: ReconnectPolicy(timeLimit: .seconds(6)),
            observer: observer,
            onConnect: onConnect)
    }

    /// Runs `body` with such a session, closed when it returns.
    package static func withSession<R>(
        _ configuration: PostgresConfiguration, reconnect: ReconnectPolicy = ReconnectPolicy(),
        observer: (any PostgresSessionObserver)? = nil,
        onConnect: @escaping @Sendable (PostgresConnection) async throws -> Void = { _ in },
        isolation: isolated (any Actor)? = #isolation,
        _ body: (PostgresSession) async throws -> R
    ) async throws -> R {
        let session = atStart(configuration, reconnect: reconnect, observer: observer, onConnect: onConnect)
        do {
            let result = try await body(session)
            await session.close()
            return result
        } catch {
            await session.close()
            throw error
        }
    }
}
