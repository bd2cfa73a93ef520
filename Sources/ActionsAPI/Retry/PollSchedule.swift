/// When to ask again for a run that has not finished.
///
/// A run may finish in a second or wait for a person for days, so the gaps grow, and a jitter of a tenth keeps runs
/// that were started together from being asked for together:
///
///     gap(n) = min(60 s, 1 s · 1.6^n) · (0.9 + 0.2 · random)
///
///     n            0     1     2      3     4     5      6      7      8      9 and more
///     gap, s ±10%  1     1.6   2.56   4.1   6.55  10.5   16.8   26.8   42.9   60
package struct PollSchedule: Sendable {
    package init() {}

    /// The gap before the next poll.
    /// - Parameters:
    ///   - n: polls made so far, 0 when the run has been asked for once.
    ///   - random: evenly spread over 0..<1.
    package func gap(afterPolls n: Int, random: Double) -> Duration {
        Duration(inSeconds: min(60, Growth.power(of: 1.6, to: n)) * (0.9 + 0.2 * Growth.unit(random)))
    }
}
