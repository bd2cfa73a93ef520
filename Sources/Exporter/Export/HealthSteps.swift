import ActionsAPI
import Foundation

/// The machine's part in what concerns all requests alike: whether there is an API, how it does, and whether there is
/// a token for it.
extension ExportMachine {
    /// Nothing goes out for a while; after too many such, the export ends.
    ///
    /// - Returns: when the request may be tried again; nil if the export ends.
    mutating func notConnected(_ error: TransportError, at now: Date, random chance: Double) -> Date? {
        noConnection = error.reason
        logNoConnection(error.reason, at: now)
        switch reachability.notConnected(at: now, random: chance) {
        case .probe(let time):
            scheduler.probe(at: time)
            return time
        case .giveUp:
            end(.apiUnreachable(error.reason))
            return nil
        }
    }

    /// What the API's health calls for, before anything else is made of the answer.
    @discardableResult
    mutating func hear(
        _ health: Health, isRetry: Bool, askedAt: Date? = nil, retryAfter: Duration?, at now: Date, random: Double
    ) -> Circuit.Word {
        switch health {
        case .unknown: return .closed
        case .well:
            if circuit.succeeded() { scheduler.resume() }
            logWell(.failingAPI, at: now)
            return .closed
        case .failing(let reason):
            let word = circuit.failed(
                isRetry: isRetry, askedAt: askedAt, retryAfter: retryAfter, at: now, random: random)
            switch word {
            case .closed: break
            case .probe(let time):
                logFailing(.failingAPI, reason, until: time, at: now)
                scheduler.probe(at: time)
            case .giveUp(let time): end(.apiFailing(reason, comeBackAt: time))
            }
            return word
        }
    }

    /// - Parameter status: of the pages that came in the API's place.
    static func blocked(_ status: Int? = nil) -> String {
        let answer = status.map { "answers \($0)" } ?? "answers 401 or 403"
        return "a proxy or firewall before the API \(answer) with a page of its own"
    }

    /// Without a token nothing can be asked any more.
    mutating func noToken(_ error: TokenError) {
        switch error.kind {
        case .refused: end(.credentialsRefused(error.reason))
        case .invalidSetting: end(.invalidSetting(error.reason))
        case .unreachable: end(.apiUnreachable(error.reason))
        }
    }
}
