import Foundation
import Synchronization
import UnixSignals

#if canImport(Glibc)
    import Glibc
#endif

/// SIGHUP, SIGINT and SIGTERM. The first asks for an end in good order and is given five seconds for it; a second one
/// ends the process at once.
final class SignalDesk: Sendable {
    /// What a signal finds the process at.
    enum Phase: Sendable {
        /// Nothing has been begun that would want an end of its own.
        case preparing
        /// The work. Once it is under way it listens to `signals` and stores what it has; before, it is cancelled.
        case working(isUnderWay: @Sendable () -> Bool, cancel: @Sendable () -> Void)
    }

    /// What is left of the five seconds when the work has had its time is for ending it.
    private static let patience: Duration = .milliseconds(4500)

    private struct State {
        var phase = Phase.preparing
        var received: Int32?
    }

    let signals: AsyncStream<Int32>
    private let feed: AsyncStream<Int32>.Continuation
    private let state = Mutex(State())

    init() {
        (signals, feed) = AsyncStream.makeStream()
    }

    /// The signal that asked for the end.
    var received: Int32? { state.withLock { $0.received } }

    func enter(_ phase: Phase) { state.withLock { $0.phase = phase } }

    /// Runs until the task is cancelled.
    func watch(console: Console) async {
        for await signal in await UnixSignalsSequence(trapping: .sighup, .sigint, .sigterm) {
            let (isFirst, phase) = state.withLock { state in
                defer { state.received = state.received ?? signal.rawValue }
                return (state.received == nil, state.phase)
            }
            guard isFirst, case .working(let isUnderWay, let cancel) = phase else {
                console.endLive()
                _exit(128 + signal.rawValue)
            }
            feed.yield(signal.rawValue)
            guard isUnderWay() else {
                cancel()
                continue
            }
            Task {
                try await Task.sleep(for: Self.patience)
                cancel()
            }
        }
    }
}
