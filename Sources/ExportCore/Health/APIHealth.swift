import ActionsAPI
import Foundation

/// Whether the API can be asked: the one machine for what replies show of its health, and for what may leave because of
/// it.
///
///     unproven ──▶ open ◀──▶ probing ──▶ given up      connections, answers of use, failures of every request
///        │          ├─────▶ pages closed               requests for pages fail one after the other
///        └──────────┴─────▶ refused                    the credentials, or a page of a proxy for everything
///
/// `unproven`: it has never answered. Runs without an answer are held, since the fault may be the API's.
/// `open`: requests leave as the scheduler wants. While every answer has been 403, forbidden runs are held.
/// `probing`: nothing leaves before a time, then one request at a time; an answer of use opens it again.
/// `given up`, `refused`: the export ends. `pages closed`: chains are left to the next export, everything else goes on.
struct APIHealth: Sendable {
    /// Whether a request may leave.
    enum Admission: Equatable {
        case open
        /// Not before then; nil: not before another request has come back.
        case closed(until: Date?)
    }

    /// What asked for the reply.
    enum Request {
        case run(isRetry: Bool, askedAt: Date?)
        case lookUp
        case page
    }

    enum Decision: Equatable {
        /// The failure, if there was one, counts as the request's own.
        case carryOn
        /// The API fails for every request of that kind: the request is made again then.
        case probe(at: Date)
        /// `comeBackAt`: when the API wants to be asked again, if it said so.
        case giveUp(reason: String, comeBackAt: Date?)

        /// Of an API that fails for every request.
        var ending: Ending? {
            if case .giveUp(let reason, let time) = self { return .apiFailing(reason, comeBackAt: time) }
            return nil
        }
    }

    private var connections = Reachability()
    private var service: Circuit
    private var pages: Circuit
    private var credentials = CredentialsWatch()
    /// Of the unproven API.
    private var pausedUntil: Date?

    /// - Parameter longestGap: a server that asks for a longer wait is given up.
    init(longestGap: Duration) {
        service = Circuit(longestGap: longestGap)
        // Each failed request for a page may be a page in doubt, so only a few may fail.
        pages = Circuit(threshold: 10, probes: 2, longestGap: longestGap)
    }

    // MARK: What may leave

    /// - Parameters:
    ///   - inFlight: requests of all kinds.
    ///   - pagesInFlight: requests for pages among them.
    func admit(_ bucket: Bucket, inFlight: Int, pagesInFlight: Int, at now: Date) -> Admission {
        if bucket == .runs, !pages.isGivenUp, let time = pages.probesAt {
            if now < time { return .closed(until: time) }
            if pagesInFlight > 0 { return .closed(until: nil) }
        }
        if let opensAt, now < opensAt { return .closed(until: opensAt) }
        return isProbing && inFlight > 0 ? .closed(until: nil) : .open
    }

    /// One request at a time leaves, to find out whether the API works again.
    var isProbing: Bool { connections.probesAt != nil || service.probesAt != nil }
    /// Nothing leaves before then; nil if nothing holds requests back.
    private var opensAt: Date? { [connections.probesAt, service.probesAt, pausedUntil].compactMap(\.self).max() }
    /// No further page is requested in this export.
    var arePagesClosed: Bool { pages.isGivenUp }

    // MARK: What replies show

    var hasAnswered: Bool { connections.hasAnswered }
    /// Why no connection can be made at present.
    var noConnection: String? { connections.reason }
    /// All that has come so far are pages of a proxy or firewall.
    var hasSeenOnlyPages: Bool { credentials.hasSeenOnlyPages }

    /// The API answered something.
    mutating func answered() {
        connections.answered()
        pausedUntil = nil
    }

    /// - Parameter random: 0 to 1, 1 excluded.
    mutating func notConnected(_ reason: String, at now: Date, random: Double) -> Reachability.Decision {
        connections.notConnected(reason, at: now, random: random)
    }

    /// A request was answered, or got no answer.
    ///
    /// - Parameters:
    ///   - retryAfter: the answer's `Retry-After`.
    ///   - random: 0 to 1, 1 excluded.
    mutating func heard(
        _ report: HealthReport, of request: Request, retryAfter: Duration?, at now: Date, random: Double
    ) -> Decision {
        switch request {
        case .run(let isRetry, let askedAt):
            service.heard(
                report, isRetry: isRetry, askedAt: askedAt, retryAfter: retryAfter, at: now, random: random)
        case .lookUp:
            service.heard(report, isRetry: true, askedAt: nil, retryAfter: retryAfter, at: now, random: random)
        case .page: pages.heard(report, isRetry: false, askedAt: nil, retryAfter: retryAfter, at: now, random: random)
        }
    }

    /// Whether a run's answer says something about the run, or only about the credentials.
    mutating func judge(_ step: RunStep, _ run: FetchedRun) -> CredentialsWatch.Decision {
        credentials.saw(
            step, status: run.httpStatus, isPage: run.apiErrors.isEmpty && run.result == nil,
            wasForbidden: run.item.wasForbidden)
    }

    /// The API has never answered: nothing leaves before then.
    mutating func pause(until time: Date) { pausedUntil = time }
}

extension Circuit {
    fileprivate mutating func heard(
        _ report: HealthReport, isRetry: Bool, askedAt: Date?, retryAfter: Duration?, at now: Date, random: Double
    ) -> APIHealth.Decision {
        switch report {
        case .unknown: return .carryOn
        case .well:
            succeeded()
            return .carryOn
        case .failing(let reason):
            let decision = failed(
                isRetry: isRetry, askedAt: askedAt, retryAfter: retryAfter, at: now, random: random)
            return switch decision {
            case .closed: .carryOn
            case .probe(let time): .probe(at: time)
            case .giveUp(let time): .giveUp(reason: reason, comeBackAt: time)
            }
        }
    }
}
