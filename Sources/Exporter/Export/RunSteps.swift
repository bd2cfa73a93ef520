import ActionsAPI
import Foundation

/// The machine's part in runs: makes of each answer what the rules say.
extension ExportMachine {
    mutating func fetched(_ item: RunItem, _ reply: Reply<RunAnswer>, at time: Date) {
        var item = item
        scheduler.returned(item)
        let chance = random()
        if case .answered(.throttled(insideOK: true), _) = reply { item.quotedThrottles += 1 }
        let isBelieved = item.quotedThrottles <= RunRules.quotedThrottles
        let heard = hear(reply, to: .run(item.key), at: time, chance: chance) { answer in
            isBelieved && answer.effectiveStatus(200) == 429
        }
        switch heard {
        case .cancelled, .stopped:
            scheduler.untrack(item)
            if item.page?.isRefetch == true { wasPageCut = true }
        case .again(let due): scheduler.retry(item, at: due)
        case .unanswered(let error):
            item.requests += 1 + error.resent
            let run = LoadedRun(item: item, verdict: .unanswered, answeredAt: time)
            let step = rules.step(item, error: error, random: chance)
            if reachability.hasAnswered {
                take(step, run, health: Health(error), retryAfter: nil, random: chance)
            } else {
                takeSilent(step, run, error)
            }
        case .answered(let answer, let details):
            item.requests += 1 + details.resent
            let (status, retryAfter) = (details.head.status, details.head.headers.retryAfter)
            let step = rules.step(item, answer: answer, retryAfter: retryAfter, at: time, random: chance)
            count(step, status: status, isPastTime: item.expiresAt <= time)
            let run = LoadedRun(
                item: item, answer: answer, httpStatus: status, body: details.body, answeredAt: time,
                lease: details.lease)
            let effectiveStatus = isBelieved ? answer.effectiveStatus(status) : status
            take(step, run, health: Health(answer, status: effectiveStatus), retryAfter: retryAfter, random: chance)
        }
    }

    /// - Parameter random: 0 to 1, 1 excluded.
    private mutating func take(
        _ step: RunStep, _ run: LoadedRun, health: Health, retryAfter: Duration?, random: Double
    ) {
        let word = hear(
            health, isRetry: run.item.failures > 0, askedAt: run.item.askedAt, retryAfter: retryAfter,
            at: run.answeredAt, random: random)
        switch word {
        case .closed: take(step, run)
        case .probe(let time):
            var item = run.item
            item.lastFailure = FailedTry(httpStatus: run.httpStatus)
            scheduler.retry(item, at: time)
        case .giveUp:
            gather(run.failed(health))
            for item in scheduler.removeRetries() {
                // What waits for another reason, such as a 429, has not failed.
                guard let failure = item.lastFailure else {
                    scheduler.untrack(item)
                    continue
                }
                let run = LoadedRun(
                    item: item, verdict: .unanswered, httpStatus: failure.httpStatus, answeredAt: run.answeredAt)
                gather(run.failed(health))
            }
        }
    }

    private mutating func take(_ step: RunStep, _ run: LoadedRun) {
        let word = watch.saw(
            step, status: run.httpStatus, isPage: run.apiErrors.isEmpty && run.result == nil,
            wasForbidden: run.item.wasForbidden)
        if word == .blocked { end(.apiUnreachable(Self.blocked(run.httpStatus))) }
        if word == .refuse {
            // None of them is forbidden in truth: they stay queued.
            for run in held + [run] { scheduler.untrack(run.item) }
            held = []
            return end(.credentialsRefused(run.apiErrors.first?.detail ?? run.apiErrors.first?.title ?? ""))
        }
        if word == .accept { releaseHeld() }
        var run = run
        switch step {
        case .conclude(let verdict):
            run.verdict = verdict
            word == .hold ? held.append(run) : settle(run)
        case .poll(let verdict, let delay):
            run.verdict = verdict
            run.item.polls += 1
            run.item.failures = 0
            run.item.isSuspect = false
            run.item.seenAlive = true
            run.pollAt = run.answeredAt + delay.seconds
            accountWatch.sawRun(of: run.item.key.storedActionID)
            gather(run)
        case .retry(let delay):
            run.item.failures += 1
            run.item.lastFailure = FailedTry(httpStatus: run.httpStatus)
            scheduler.retry(run.item, at: run.answeredAt + delay.seconds)
        case .miss(let delay):
            run.item.page?.misses += 1
            wait(for: run.item, until: run.answeredAt + delay.seconds)
        case .askAgain: scheduler.retry(run.item, at: run.answeredAt)
        case .refuse: break
        }
    }

    /// The API took the request, said nothing, and has never said anything: is it the run, or the API?
    private mutating func takeSilent(_ step: RunStep, _ run: LoadedRun, _ error: TransportError) {
        switch step {
        case .retry(let delay):
            // Shorter than this run's own wait, so that another run has its turn before.
            scheduler.pause(until: run.answeredAt + delay.seconds / 2)
            take(step, run)
        case .conclude(let verdict):
            var run = run
            run.verdict = verdict
            silent.append(run)
            guard silent.count == Reachability.silentRuns else { return }
            for run in silent { scheduler.untrack(run.item) }
            silent = []
            end(.apiUnreachable(error.reason))
        case .poll, .miss, .askAgain, .refuse: take(step, run)
        }
    }

    mutating func releaseSilent() {
        for run in silent { gather(run) }
        silent = []
    }

    mutating func releaseHeld() {
        for run in held { settle(run) }
        held = []
    }

    mutating func gather(_ run: LoadedRun) {
        // With the database lost, nothing would ever commit it: the next export asks again.
        guard failure == nil else { return scheduler.untrack(run.item) }
        gathered.append(run)
        gate.gathered(run, at: now)
        scheduler.gathered()
    }
}
