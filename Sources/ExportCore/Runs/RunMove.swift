import Foundation

/// What becomes of a run that came back.
enum RunMove: Sendable {
    /// It is answered for the last time.
    case settle(FetchedRun)
    /// It is not finished: its state is stored, and it is polled.
    case poll(FetchedRun)
    /// It is stored as it is.
    case gather(FetchedRun)
    case retry(RunItem, at: Date)
    /// A page that the API does not have yet.
    case wait(RunItem, until: Date)
    /// It stays in the work list, and is not asked for again in this export.
    case release(RunItem)
    /// The API fails for every request: the runs that have failed and wait for a retry fail with this one.
    case failRetries(reason: String, at: Date)
    case end(Ending)

    /// - Parameter item: waits for a retry that will not be made.
    init(failing item: RunItem, _ reason: String, at time: Date) {
        // What waits for another reason, such as a 429, has not failed.
        guard let failure = item.lastFailure else {
            self = .release(item)
            return
        }
        let run = FetchedRun(item: item, verdict: .unanswered, httpStatus: failure.httpStatus, answeredAt: time)
        self = .gather(run.failed(reason))
    }

    init?(_ step: RunStep, _ run: FetchedRun) {
        var run = run
        switch step {
        case .conclude(let verdict):
            run.verdict = verdict
            self = .settle(run)
        case .poll(let verdict, let delay):
            run.verdict = verdict
            run.item.polls += 1
            run.item.failures = 0
            run.item.isSuspect = false
            run.item.seenAlive = true
            run.pollAt = run.answeredAt + delay.seconds
            self = .poll(run)
        case .retry(let delay):
            run.item.failures += 1
            run.item.lastFailure = FailedTry(httpStatus: run.httpStatus)
            self = .retry(run.item, at: run.answeredAt + delay.seconds)
        case .miss(let delay):
            run.item.page?.misses += 1
            self = .wait(run.item, until: run.answeredAt + delay.seconds)
        case .askAgain: self = .retry(run.item, at: run.answeredAt)
        case .refuse: return nil
        }
    }
}
