import Foundation

/// Wakes its owner at a time, or before: the times asked for mostly move on with each event, and a timer for each would
/// cost more than a call that comes too early, now and then.
struct Alarm {
    /// When the timer that runs ends.
    private var time: Date?
    private var task: Task<Void, Never>?

    mutating func set(for time: Date, clock: SteadyClock, _ ring: @escaping @Sendable () -> Void) {
        guard time < self.time ?? .distantFuture else { return }
        cancel()
        self.time = time
        task = Task {
            guard (try? await clock.sleep(until: time)) != nil else { return }
            ring()
        }
    }

    /// The call came: the next one is to be set again.
    mutating func rang() { time = nil }

    mutating func cancel() {
        task?.cancel()
        task = nil
        time = nil
    }
}
