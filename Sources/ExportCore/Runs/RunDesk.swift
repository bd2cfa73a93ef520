import ActionsAPI
import Foundation

/// Makes of each reply about a run what the rules, the API's health and the credentials say.
struct RunDesk: Sendable {
    let rules: RunRules
    private var held = HeldRuns()

    init(rules: RunRules) { self.rules = rules }

    mutating func fetched(
        _ item: RunItem, _ reply: Reply<RunAnswer>, _ moment: Exchange.Moment, through exchange: inout Exchange
    ) -> [RunMove] {
        var item = item
        if case .answered(.throttled(insideOK: true), _) = reply { item.quotedThrottles += 1 }
        let isBelieved = item.quotedThrottles <= RunRules.quotedThrottles
        let heard = exchange.heard(reply, to: .run(item.key), moment) { answer in
            isBelieved && answer.effectiveStatus(200) == 429
        }
        let released = released(by: exchange.health)
        switch heard {
        case .cancelled: return released + [.release(item)]
        case .over(let ending): return released + [.end(ending), .release(item)]
        case .again(let due): return released + [.retry(item, at: due)]
        case .unanswered(let error):
            item.requests += 1 + error.resent
            let run = FetchedRun(item: item, verdict: .unanswered, answeredAt: moment.time)
            let step = rules.step(item, error: error, random: moment.chance)
            guard exchange.health.hasAnswered else { return silent(step, run, error, through: &exchange) }
            return released
                + take(step, run, HealthReport(error), retryAfter: nil, moment.chance, through: &exchange)
        case .answered(let answer, let details):
            item.requests += 1 + details.resent
            let (status, retryAfter) = (details.head.status, details.head.headers.retryAfter)
            let step = rules.step(
                item, answer: answer, retryAfter: retryAfter, at: moment.time, random: moment.chance)
            exchange.count(step, status: status, isPastTime: item.expiresAt <= moment.time)
            let run = FetchedRun(
                item: item, answer: answer, httpStatus: status, body: details.body, answeredAt: moment.time,
                lease: details.lease)
            let report = HealthReport(answer, status: isBelieved ? answer.effectiveStatus(status) : status)
            return released
                + take(step, run, report, retryAfter: retryAfter, moment.chance, through: &exchange)
        }
    }

    private mutating func take(
        _ step: RunStep, _ run: FetchedRun, _ report: HealthReport, retryAfter: Duration?, _ chance: Double,
        through exchange: inout Exchange
    ) -> [RunMove] {
        let request = APIHealth.Request.run(isRetry: run.item.failures > 0, askedAt: run.item.askedAt)
        switch exchange.heard(report, of: request, retryAfter: retryAfter, at: run.answeredAt, random: chance) {
        case .carryOn: return take(step, run, through: &exchange)
        case .probe(let time):
            var item = run.item
            item.lastFailure = FailedTry(httpStatus: run.httpStatus)
            return [.retry(item, at: time)]
        case .giveUp(let reason, let time):
            return [
                .end(.apiFailing(reason, comeBackAt: time)), .gather(run.failed(reason)),
                .failRetries(reason: reason, at: run.answeredAt),
            ]
        }
    }

    private mutating func take(_ step: RunStep, _ run: FetchedRun, through exchange: inout Exchange) -> [RunMove] {
        let move = RunMove(step, run)
        let moves = move.map { [$0] } ?? []
        switch exchange.judge(step, run) {
        case .pass: return moves
        case .accept: return held.takeForbidden().map { .settle($0) } + moves
        case .hold:
            if case .settle(let run)? = move { held.hold(forbidden: run) }
            return []
        case .refuse:
            // None of them is forbidden: they stay queued.
            let error = run.apiErrors.first
            return (held.takeForbidden() + [run]).map { .release($0.item) }
                + [.end(.credentialsRefused(error?.detail ?? error?.title ?? ""))]
        case .blocked: return [.end(.apiUnreachable(.blocked(status: run.httpStatus)))] + moves
        }
    }

    /// The API took the request, said nothing, and has never said anything: is it the run, or the API?
    private mutating func silent(
        _ step: RunStep, _ run: FetchedRun, _ error: TransportError, through exchange: inout Exchange
    ) -> [RunMove] {
        guard case .settle(let run)? = RunMove(step, run) else {
            // Shorter than the run's own wait, so that another run has its turn first.
            if case .retry(let delay) = step { exchange.pause(until: run.answeredAt + delay.seconds / 2) }
            return take(step, run, through: &exchange)
        }
        guard held.hold(silent: run) else { return [] }
        return held.takeSilent().map { .release($0.item) } + [.end(.apiUnreachable(.failed(error.reason)))]
    }

    // MARK: Runs that are held

    var isHoldingRuns: Bool { !held.isEmpty }

    /// Once the API has answered anything, the runs that got no answer have failed on their own.
    mutating func released(by health: APIHealth) -> [RunMove] {
        health.hasAnswered ? held.takeSilent().map { .settle($0) } : []
    }

    /// Nothing else will show whose fault it was: what is held counts.
    mutating func releaseAll() -> [RunMove] { (held.takeForbidden() + held.takeSilent()).map { .settle($0) } }
}
