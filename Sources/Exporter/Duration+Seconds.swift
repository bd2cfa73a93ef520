import Foundation

extension Duration {
    /// The same length as seconds, as `Date` counts.
    package var seconds: TimeInterval {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
