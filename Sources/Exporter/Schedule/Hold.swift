import Foundation

/// Requests that wait for a time, and perhaps then go one by one.
struct Hold: Sendable {
    /// Nothing goes out before then.
    var until: Date?
    /// One request at a time, until one is answered as it should be.
    var isProbing = false

    func allows(_ inFlight: Int, at now: Date) -> Bool {
        if let until, now < until { return false }
        return !isProbing || inFlight == 0
    }
}
