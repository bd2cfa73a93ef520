import Synchronization

/// The memory that all bodies in flight share, from their first byte to their commit.
package final class BodyRoom: Sendable {
    private struct State {
        var budget: ByteBudget
        var nextHolder: ByteBudget.Holder = 0
        var waiting: [ByteBudget.Holder: CheckedContinuation<Void, any Error>] = [:]
    }

    private let state: Mutex<State>

    /// - Parameter capacity: bytes that all bodies may hold together; one body at a time may grow past it.
    package init(capacity: Int) {
        state = Mutex(State(budget: ByteBudget(capacity: capacity)))
    }

    package func lease() -> BodyLease {
        BodyLease(
            room: self,
            holder: state.withLock { state in
                state.nextHolder += 1
                return state.nextHolder
            })
    }

    fileprivate func reserve(_ bytes: Int, for holder: ByteBudget.Holder) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Result<Void, any Error>? = state.withLock { state in
                    // Checked inside the lock: a cancellation before that finds no waiter.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    switch state.budget.reserve(bytes, for: holder) {
                    case .granted: return .success(())
                    case .wait:
                        state.waiting[holder] = continuation
                        return nil
                    }
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let cancelled = state.withLock { state in state.waiting.removeValue(forKey: holder) }
            guard let cancelled else { return }
            resume { $0.withdraw(holder) }
            cancelled.resume(throwing: CancellationError())
        }
    }

    fileprivate func reserveAtOnce(_ bytes: Int, for holder: ByteBudget.Holder) -> Bool {
        state.withLock { $0.budget.reserveAtOnce(bytes, for: holder) }
    }

    fileprivate func release(_ holder: ByteBudget.Holder) {
        resume { $0.release(holder) }
    }

    private func resume(_ change: (inout ByteBudget) -> [ByteBudget.Holder]) {
        let granted = state.withLock { state in
            change(&state.budget).compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for continuation in granted { continuation.resume() }
    }
}

/// One body's share of the room, given back when the last reference to it goes.
package final class BodyLease: Sendable {
    private let room: BodyRoom
    private let holder: ByteBudget.Holder

    fileprivate init(room: BodyRoom, holder: ByteBudget.Holder) {
        self.room = room
        self.holder = holder
    }

    deinit { room.release(holder) }

    /// - Returns: false if the body would have to wait for so many bytes more; nothing has changed then.
    package func growAtOnce(by bytes: Int) -> Bool { room.reserveAtOnce(bytes, for: holder) }

    /// Returns once the body may hold that many bytes more.
    package func grow(by bytes: Int) async throws {
        try await room.reserve(bytes, for: holder)
    }
}
