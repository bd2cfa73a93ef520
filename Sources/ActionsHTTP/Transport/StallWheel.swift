import ActionsAPI
import Synchronization

/// Checks the watches of all requests in flight, on one timer. A timer for each request would cost more than reading its
/// answer, and would stay in memory for half a minute after that.
final class StallWheel: Sendable {
    /// A limit is noticed so much later at most.
    private static let tick: Duration = .milliseconds(250)

    private struct Entry {
        var watch: StallWatch
        var fail: @Sendable (TransportError) -> Void
    }

    private let entries = Mutex<[ObjectIdentifier: Entry]>([:])

    /// Turns until the task is cancelled.
    func turn(by clock: some Clock<Duration>) async {
        while !Task.isCancelled {
            try? await clock.sleep(until: clock.now.advanced(by: Self.tick), tolerance: Self.tick / 4)
            let entries = entries.withLock { Array($0.values) }
            for entry in entries {
                if let error = entry.watch.check() { entry.fail(error) }
            }
        }
    }

    /// - Parameter fail: called when the watch has expired, perhaps more than once.
    func add(_ watch: StallWatch, _ fail: @escaping @Sendable (TransportError) -> Void) {
        entries.withLock { $0[ObjectIdentifier(watch)] = Entry(watch: watch, fail: fail) }
    }

    func remove(_ watch: StallWatch) {
        _ = entries.withLock { $0.removeValue(forKey: ObjectIdentifier(watch)) }
    }
}
