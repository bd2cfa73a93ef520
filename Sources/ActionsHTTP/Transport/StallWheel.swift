import ActionsAPI
import Synchronization

/// Checks the watches of all requests in flight, on one timer. A timer for each request would cost more than reading its
/// answer, and would stay in memory for half a minute after that.
final class StallWheel: Sendable {
    /// A limit is noticed so much later at most.
    private static let tick: Duration = .milliseconds(250)

    private struct Entry {
        var watch: StallWatch
        var cancel: @Sendable () -> Void
    }

    private let entries = Mutex<[ObjectIdentifier: Entry]>([:])

    /// Turns until the task is cancelled.
    func turn(by clock: some Clock<Duration>) async {
        while !Task.isCancelled {
            try? await clock.sleep(until: clock.now.advanced(by: Self.tick), tolerance: Self.tick / 4)
            let entries = entries.withLock { Array($0.values) }
            for entry in entries where entry.watch.check() != nil { entry.cancel() }
        }
    }

    /// Runs `body`, which is cancelled when the watch expires.
    ///
    /// - Throws: the watch's error then; else what `body` throws.
    func watching<R: Sendable>(
        _ watch: StallWatch, _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let task = Task(operation: body)
        entries.withLock { $0[ObjectIdentifier(watch)] = Entry(watch: watch, cancel: { task.cancel() }) }
        defer { _ = entries.withLock { $0.removeValue(forKey: ObjectIdentifier(watch)) } }
        return try await withTaskCancellationHandler {
            do {
                return try await task.value
            } catch {
                throw watch.expiry ?? error
            }
        } onCancel: {
            task.cancel()
        }
    }
}
