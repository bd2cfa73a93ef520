import Foundation
import Synchronization
import UnixSignals

#if canImport(Glibc)
    import Glibc
#endif

/// SIGHUP, SIGINT and SIGTERM. The first asks for an end in good order and is given five seconds for it, or more while a
/// refresh token is being exchanged; a second one ends the process at once.
final class SignalDesk: Sendable {
    /// What a signal finds the process at.
    enum Phase: Sendable {
        /// Nothing has been begun that would want an end of its own.
        case preparing
        /// The work. Once it is under way it listens to `signals` and stores what it has; before, it is cancelled.
        case working(isUnderWay: @Sendable () -> Bool, cancel: @Sendable () -> Void)
    }

    /// When work that does not end by itself is cancelled, and when the process ends whatever it is at. A call that
    /// blocks in the kernel, such as the look-up of a host name, hears of no cancellation.
    private static let (cancelAfter, endAfter): (Duration, Duration) = (.milliseconds(3800), .milliseconds(4700))

    private struct State {
        var phase = Phase.preparing
        var received: Int32?
        var lastWords: @Sendable (Int32) -> Void = { _ in }
        var mustStay: @Sendable () -> Bool = { false }
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

    /// - Parameter words: said when a signal ends the process in the middle of whatever it is at.
    func onExit(_ words: @escaping @Sendable (Int32) -> Void) { state.withLock { $0.lastWords = words } }

    /// - Parameter mustStay: while it is so, a first signal does not end the process, in whatever phase.
    func stay(while mustStay: @escaping @Sendable () -> Bool) { state.withLock { $0.mustStay = mustStay } }

    /// From when this returns, none of the signals ends the process by itself.
    static func trap() async -> UnixSignalsSequence {
        // Whoever has a signal ignored, as nohup does with SIGHUP, wants it ignored.
        await UnixSignalsSequence(
            trapping: [UnixSignal.sighup, .sigint, .sigterm].filter { !isIgnored($0.rawValue) })
    }

    /// Runs until the task is cancelled.
    func watch(_ trapped: UnixSignalsSequence) async {
        for await signal in trapped {
            let (isFirst, phase) = state.withLock { state in
                defer { state.received = state.received ?? signal.rawValue }
                return (state.received == nil, state.phase)
            }
            guard isFirst else { end(by: signal.rawValue) }
            switch phase {
            case .preparing:
                guard mustStay else { end(by: signal.rawValue) }
                Task.detached {
                    while self.mustStay { try await Task.sleep(for: .milliseconds(50)) }
                    self.end(by: signal.rawValue)
                }
            case .working(let isUnderWay, let cancel):
                feed.yield(signal.rawValue)
                Task.detached {
                    if isUnderWay() { try await Task.sleep(for: Self.cancelAfter) }
                    cancel()
                    var hadToStay: Bool
                    repeat {
                        hadToStay = self.mustStay
                        try await Task.sleep(for: Self.endAfter - Self.cancelAfter)
                    } while hadToStay || self.mustStay
                    self.end(by: signal.rawValue)
                }
            }
        }
    }

    private var mustStay: Bool { state.withLock(\.mustStay)() }

    private func end(by signal: Int32) -> Never {
        state.withLock { $0.lastWords }(signal)
        _exit(128 + signal)
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
