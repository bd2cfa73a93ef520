import Foundation

extension Duration {
    /// The length in seconds.
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }

    /// Rounded to the microsecond, as a `Date` of this century holds no more, and held within 30,000 years.
    init(inSeconds seconds: Double) {
        self = .microseconds(Int64((min(max(seconds, -1e12), 1e12) * 1_000_000).rounded()))
    }
}

extension Date {
    func after(_ length: Duration) -> Date {
        addingTimeInterval(length.inSeconds)
    }
}
