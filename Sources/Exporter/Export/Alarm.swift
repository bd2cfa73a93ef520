import Foundation

/// One wake-up call, which can be set to an earlier or later time.
struct Alarm {
    private var time: Date?
    private var task: Task<Void, Never>?

    mutating func set(for time: Date, clock: SteadyClock, _ ring: @escaping @Sendable () -> Void) {
        guard time != self.time else { return }
        cancel()
        self.time = time
        guard time < .distantFuture else { return }
        task = Task {
            guard (try? await clock.sleep(until: time)) != nil else { return }
            ring()
        }
    }

    /// The call came, perhaps a moment early: the same time may be asked for once more.
    mutating func rang() { time = nil }

    mutating func cancel() {
        task?.cancel()
        task = nil
        time = nil
    }
}
