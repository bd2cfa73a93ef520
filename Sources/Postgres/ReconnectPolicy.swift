/// How often, and with which gaps, a session tries again.
///
/// Gaps double from the first to the longest. With the defaults they are
///
///     after try   1    2    3    4    5    6   7  8  9 …
///     seconds   0.1  0.2  0.4  0.8  1.6  3.2   5  5  5 …
package struct ReconnectPolicy: Sendable, Hashable {
    package var firstGap: Duration
    package var longestGap: Duration
    /// How long connecting goes on, counted from the first try that failed; a try under way is not cut short.
    package var timeLimit: Duration
    /// How often one statement or transaction may lose its connection before it is given up: what breaks the server
    /// each time is not repeated forever.
    package var losses: Int
    /// How often one transaction may be rolled back for the sake of another before it is given up.
    package var conflicts: Int

    package init(
        firstGap: Duration = .milliseconds(100),
        longestGap: Duration = .seconds(5),
        timeLimit: Duration = .seconds(60),
        losses: Int = 5,
        conflicts: Int = 10
    ) {
        self.firstGap = firstGap
        self.longestGap = longestGap
        self.timeLimit = timeLimit
        self.losses = losses
        self.conflicts = conflicts
    }

    /// Gives up after the first try.
    package static var never: Self { Self(timeLimit: .zero, losses: 0, conflicts: 0) }

    /// The wait after the `failures`th failure to connect, from 1; nil when it would pass the time limit.
    package func gap(afterFailure failures: Int, elapsed: Duration) -> Duration? {
        let gap = self.gap(after: failures)
        return elapsed + gap > timeLimit ? nil : gap
    }

    /// The wait before work is repeated that lost its connection; nil when it is given up.
    package func gap(afterLoss losses: Int) -> Duration? {
        losses > self.losses ? nil : gap(after: losses)
    }

    /// The wait before a transaction is repeated that met a conflict: none the first time, for the other one has won
    /// by then; nil when it is given up.
    package func gap(afterConflict conflicts: Int) -> Duration? {
        if conflicts > self.conflicts { return nil }
        return conflicts <= 1 ? .zero : gap(after: conflicts - 1) / 10
    }

    private func gap(after count: Int) -> Duration {
        // Past 30 doublings any first gap worth the name is over the longest one.
        min(firstGap * (1 << min(max(count - 1, 0), 30)), longestGap)
    }
}
