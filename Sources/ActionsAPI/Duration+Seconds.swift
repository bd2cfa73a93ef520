import Foundation

extension Duration {
    /// The length in seconds, as `Date` counts.
    package var seconds: TimeInterval {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }

    /// Rounded to the microsecond, as a `Date` of this century holds no more, and held within 30,000 years.
    package init(inSeconds seconds: Double) {
        self = .microseconds(Int64((min(max(seconds, -1e12), 1e12) * 1_000_000).rounded()))
    }

    /// Whole nanoseconds; pinned to the range of `Int64`, some 292 years.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : whole + attoseconds / 1_000_000_000
    }
}

extension Date {
    func after(_ length: Duration) -> Date {
        addingTimeInterval(length.seconds)
    }
}
