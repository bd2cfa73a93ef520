/// Distinguishes a second signal from an echo of the first.
///
/// GNU `timeout` signals the process and then its whole group, so one wish to end arrives as two signals, milliseconds
/// apart. A person who presses Ctrl-C again means it, but takes longer.
struct SignalCount: Sendable {
    enum Decision: Sendable, Equatable {
        /// End in good order.
        case first
        /// It belongs to the first one.
        case echo
        /// End at once.
        case second
    }

    static let echoTime: Duration = .seconds(1)

    private var firstAt: ContinuousClock.Instant?

    mutating func received(at now: ContinuousClock.Instant) -> Decision {
        guard let firstAt else {
            firstAt = now
            return .first
        }
        return now - firstAt < Self.echoTime ? .echo : .second
    }
}
