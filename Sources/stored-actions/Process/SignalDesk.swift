import Foundation
import Synchronization
import UnixSignals

import Glibc

/// SIGHUP, SIGINT and SIGTERM. The first asks for an end in good order and is given five seconds for it, or more while
/// a refresh token is being exchanged; a second one ends the process at once, unless it comes within a second of the
/// first.
final class SignalDesk: Sendable {
    /// What a signal finds the process at.
    enum Phase: Sendable {
        /// Nothing has been begun that would want an end of its own.
        case preparing
        /// The work. Once it is under way it listens to `signals` and stores what it has; before, it is cancelled.
        case working(isUnderWay: @Sendable () -> Bool, cancel: @Sendable () -> Void)
    }

    /// When work that does not end on its own is cancelled, and when the process ends in any case. A call that
    /// blocks in the kernel, such as the look-up of a host name, hears of no cancellation.
    private static let (cancelAfter, endAfter): (Duration, Duration) = (.milliseconds(3800), .milliseconds(4700))

    /// Seconds that the last message may take.
    private static let messageLimit: TimeInterval = 1

    private struct State {
        var phase = Phase.preparing
        var received: Int32?
        var count = SignalCount()
        var exitMessage: @Sendable (Int32) -> Int32 = { 128 + $0 }
        var mustStay: @Sendable () -> Bool = { false }
    }

    let signals: AsyncStream<Int32>
    private let feed: AsyncStream<Int32>.Continuation
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())
    private let executor = ThreadExecutor(label: "signals")

    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }) {
        self.now = now
        (signals, feed) = AsyncStream.makeStream()
    }

    /// The signal that asked for the end.
    var received: Int32? { state.withLock { $0.received } }

    func enter(_ phase: Phase) { state.withLock { $0.phase = phase } }

    /// - Parameter message: called when a signal ends the process in the middle of its work; returns the exit status.
    func onExit(_ message: @escaping @Sendable (Int32) -> Int32) { state.withLock { $0.exitMessage = message } }

    /// - Parameter mustStay: while it is so, a first signal does not end the process, in whatever phase.
    func stay(while mustStay: @escaping @Sendable () -> Bool) { state.withLock { $0.mustStay = mustStay } }

    /// Once this returns, none of the signals ends the process on its own.
    static func trap() async -> UnixSignalsSequence {
        // A signal that the parent has set to be ignored, as nohup does with SIGHUP, stays ignored.
        await UnixSignalsSequence(
            trapping: [UnixSignal.sighup, .sigint, .sigterm].filter { !isIgnored($0.rawValue) })
    }

    /// Begins to listen, on a thread of its own: the others may all be blocked, by a manifest that comes through a pipe
    /// or by a stderr without a reader.
    ///
    /// - Returns: what listens, until it is cancelled.
    func watch(_ trapped: UnixSignalsSequence) -> Task<Void, Never> {
        Task(executorPreference: executor) { await self.listen(to: trapped) }
    }

    private func listen(to trapped: UnixSignalsSequence) async {
        for await signal in trapped {
            let now = now()
            let (decision, phase) = state.withLock { state in
                state.received = state.received ?? signal.rawValue
                return (state.count.received(at: now), state.phase)
            }
            switch decision {
            case .first: break
            case .echo: continue
            case .second: end(by: signal.rawValue)
            }
            switch phase {
            case .preparing:
                guard mustStay else { end(by: signal.rawValue) }
                Task.detached(executorPreference: executor) {
                    while self.mustStay { try await Task.sleep(for: .milliseconds(50)) }
                    self.end(by: signal.rawValue)
                }
            case .working(let isUnderWay, let cancel):
                feed.yield(signal.rawValue)
                Task.detached(executorPreference: executor) {
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
        // The message may find stdout or stderr stalled, or held by a thread that is.
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: Self.messageLimit)
            _exit(128 + signal)
        }
        _exit(state.withLock { $0.exitMessage }(signal))
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
