import ActionsAPI
import Foundation

/// Holds the access token and renews it: does what `TokenState` decides.
package actor TokenSource {
    private var state: TokenState
    private let issuer: (any TokenIssuer)?
    private let retries: RetryPolicy
    private let random: @Sendable () -> Double
    private let now: @Sendable () -> Date
    private let sleep: @Sendable (Duration) async throws -> Void
    private let onEvent: @Sendable (Event) -> Void
    private var renewal: Task<Void, Never>?
    private var waiting: [AsyncStream<Result<AccessToken, TokenError>>.Continuation] = []
    /// What it asked of the token endpoint.
    package nonisolated let requests: TokenRequests

    /// What becomes of tokens, for the log.
    package enum Event: Sendable, Equatable {
        /// A token has come: the first one, or one in place of another. `wasDelayed`: `delayed` was reported before.
        case issued(isFirst: Bool, wasDelayed: Bool)
        /// A renewal failed and is tried again; reported once until it has worked or is given up.
        case delayed(reason: String)
    }

    /// A server that wants to be left alone for longer is left to the next call.
    private static let longestRetry: Duration = .seconds(600)
    /// How long what was cancelled may take to end.
    private static let patience: Duration = .seconds(5)

    /// - Parameters:
    ///   - token: that is there from the start.
    ///   - issuer: of new ones; nil if the token cannot be renewed.
    ///   - retries: of a renewal that fails for the time being.
    ///   - requests: in which the issuer counts.
    ///   - onEvent: receives the outcome of each renewal.
    package init(
        _ token: AccessToken?, issuer: (any TokenIssuer)? = nil, retries: RetryPolicy = RetryPolicy(attempts: 8),
        requests: TokenRequests = TokenRequests(), random: @escaping @Sendable () -> Double = { .random(in: 0..<1) },
        now: @escaping @Sendable () -> Date = { Date() },
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        onEvent: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        state = TokenState(token, isRenewable: issuer != nil)
        self.issuer = issuer
        self.retries = retries
        self.requests = requests
        self.random = random
        self.now = now
        self.sleep = sleep
        self.onEvent = onEvent
    }

    /// The token to depart with, once there is one.
    ///
    /// - Throws: `TokenError`; `CancelledBeforeDeparture` when the task was cancelled meanwhile.
    func current() async throws -> AccessToken {
        switch state.wanted(at: now()) {
        case .use(let token): return token
        case .over(let error): throw error
        case .renew: renewal = Task { await renew() }
        case .wait: break
        }
        let (answers, continuation) = AsyncStream<Result<AccessToken, TokenError>>.makeStream()
        waiting.append(continuation)
        for await answer in answers { return try answer.get() }
        throw CancelledBeforeDeparture()
    }

    /// The API refused a token.
    ///
    /// - Returns: whether to ask again, with another token. If not, the credentials are refused.
    func refused(_ token: AccessToken) -> Bool { state.refused(token, at: now()) }

    /// Ends what is under way, but for an exchange that would cost the credentials: that one is stored first, however
    /// long its requests may take. Whether the caller's task is cancelled makes no difference.
    package func close() async {
        guard let renewal else { return }
        renewal.cancel()
        let (end, continuation) = AsyncStream<Never>.makeStream()
        let timer = Task { [issuer] in
            repeat {
                try? await Task.sleep(for: Self.patience)
            } while !Task.isCancelled && issuer?.canBeInterrupted == false
            continuation.finish()
        }
        Task {
            await renewal.value
            continuation.finish()
        }
        await Task { for await _ in end {} }.value
        timer.cancel()
    }

    private func renew() async {
        guard let issuer else { return }
        var attempt = 1
        while true {
            do {
                let begin = now()
                let issued = try await issuer.issue()
                let isFirst = !state.hasToken
                let error = state.issued(issued, at: begin)
                if error == nil { onEvent(.issued(isFirst: isFirst, wasDelayed: attempt > 1)) }
                return endWaiting(with: error.map { .failure($0) } ?? .success(issued.token))
            } catch TokenFailure.transient(let failure, let retryAfter, let reason) {
                let decision = retries.decision(
                    after: failure, attempt: attempt, retryAfter: retryAfter, random: random())
                guard case .retry(let delay) = decision, delay <= Self.longestRetry else {
                    return giveUp(TokenError(.unreachable, reason))
                }
                if attempt == 1 { onEvent(.delayed(reason: reason)) }
                if let token = state.tryFailed(at: now()) { endWaiting(with: .success(token)) }
                attempt += 1
                guard (try? await sleep(delay)) != nil else { return stop() }
            } catch TokenFailure.final(let error) {
                return giveUp(error)
            } catch {
                if Task.isCancelled { return stop() }
                return giveUp(TokenError(.unreachable, "no token could be asked for: \(type(of: error))"))
            }
        }
    }

    /// The renewal was cancelled.
    private func stop() {
        state.stopped()
        endWaiting(with: nil)
    }

    private func giveUp(_ error: TokenError) {
        endWaiting(with: state.gaveUp(error, at: now()).map { .success($0) } ?? .failure(error))
    }

    /// - Parameter answer: nil if the renewal was cancelled.
    private func endWaiting(with answer: Result<AccessToken, TokenError>?) {
        for continuation in waiting {
            if let answer { continuation.yield(answer) }
            continuation.finish()
        }
        waiting = []
    }
}
