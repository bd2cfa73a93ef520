import Foundation

/// Growing waits, kept finite whatever count goes in.
enum Growth {
    /// `factor^exponent`, the exponent held within 0...64.
    static func power(of factor: Double, to exponent: Int) -> Double {
        pow(factor, Double(min(max(exponent, 0), 64)))
    }

    /// A random number brought into 0...1, should its source not keep to that.
    static func unit(_ random: Double) -> Double {
        random.isNaN ? 0 : min(max(random, 0), 1)
    }
}
