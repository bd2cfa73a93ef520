import ActionsAPI
import ActionsHTTP

extension TransportLimits {
    /// Limits that no test reaches, however busy the machine is: a test that is about one of them sets that one.
    static var generous: TransportLimits {
        var limits = TransportLimits()
        limits.connect = .seconds(600)
        limits.read = .seconds(600)
        limits.rateInterval = .seconds(7200)
        limits.total = .seconds(3600)
        return limits
    }
}
