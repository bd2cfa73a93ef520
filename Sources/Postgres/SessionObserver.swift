/// Receives what a `PostgresSession` goes through, for the log. Calls come from the session, in order, and are short.
package protocol PostgresSessionObserver: Sendable {
    /// The connection is gone, or could not be made; the session tries to connect again. Once until `connected`.
    func lost(_ error: PostgresError)
    /// There is a connection again, after `time` without.
    func connected(after time: Duration)
    /// A statement has not ended for `time`; said again and again while it goes on.
    ///
    /// - Parameter pid: the server process that works on it, or waits for a lock.
    func isWaiting(_ pid: Int32, for time: Duration) async
    /// Such a statement has ended, well or not.
    func hasWaited(for time: Duration) async
}

/// Notifies an observer of a statement that takes long.
struct StatementWatch: Sendable {
    /// How long a statement may take before it is reported, and again after each further such time.
    static let patience: Duration = .seconds(5)

    let observer: any PostgresSessionObserver
    let clock: any Clock<Duration>

    /// Runs `work`, which the server process `pid` does.
    func watch<R>(_ pid: Int32, isolation: isolated (any Actor)? = #isolation, _ work: () async throws -> R)
        async throws -> R
    {
        let (observer, clock) = (observer, clock)
        let watcher = Task {
            var time = Duration.zero
            while !Task.isCancelled {
                do { try await clock.sleep(for: Self.patience) } catch { break }
                time += Self.patience
                await observer.isWaiting(pid, for: time)
            }
            return time
        }
        let result: Result<R, any Error>
        do { result = .success(try await work()) } catch { result = .failure(error) }
        watcher.cancel()
        let time = await watcher.value
        if time > .zero { await observer.hasWaited(for: time) }
        return try result.get()
    }
}
