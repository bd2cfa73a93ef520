import Foundation

/// The machine's part in the log: says when a state that lasts begins, and when it ends.
extension ExportMachine {
    /// What lasts until the export looks again.
    mutating func logStates(until time: Date) {
        logWindows(at: now)
        logSilence(at: now)
        logWait(until: time, at: now)
    }

    /// The API has answered something.
    mutating func logAnswer(at now: Date) {
        if let time = incidents.end(.noConnection, at: now) {
            log(.notice, "the API is reached again, after \(Self.seconds(time))")
        }
        if let time = incidents.end(.silence, at: now) {
            log(.notice, "the API answers again, after \(Self.seconds(time))")
        }
        incidents.heard(inFlight: scheduler.requestsInFlight, at: now)
    }

    mutating func logNoConnection(_ reason: String, at now: Date) {
        if incidents.begin(.noConnection, at: now) {
            log(.warning, "the API cannot be reached, trying again: \(reason)")
        }
    }

    private mutating func logSilence(at now: Date) {
        if scheduler.requestsInFlight == 0 { incidents.idle() }
        guard let time = incidents.silenceAt, time <= now else { return }
        if incidents.begin(.silence, at: now) {
            log(
                .warning,
                """
                the API has not answered for \(Self.seconds(Incidents.silence)), \(scheduler.requestsInFlight) \
                requests are in flight
                """)
        }
    }

    mutating func logFailing(_ kind: Incidents.Kind, _ reason: String, until time: Date, at now: Date) {
        guard incidents.begin(kind, at: now) else { return }
        let what =
            kind == .failingPages ? "the API fails for every request for a page" : "the API fails whatever it is asked"
        log(.warning, "circuit opened: \(what) (\(reason)); one request at a time from \(time.formatted(.iso8601)) on")
    }

    mutating func logWell(_ kind: Incidents.Kind, at now: Date) {
        if let time = incidents.end(kind, at: now) {
            log(.notice, "circuit closed: the API works again, after \(Self.seconds(time))")
        }
    }

    /// - Parameter opening: when the bucket opens again, as far as that is known.
    mutating func logStatus(_ status: Int, of bucket: Scheduler.Bucket, opening: Date?, at now: Date) {
        guard status == 429 else {
            if let time = incidents.end(.rateLimit(bucket), at: now) {
                log(.notice, "the API no longer answers 429: \(bucket.name) continue after \(Self.seconds(time))")
            }
            return
        }
        guard incidents.begin(.rateLimit(bucket), at: now) else { return }
        let until = opening.map { " until \($0.formatted(.iso8601))" } ?? ""
        log(.warning, "the API answered 429: \(bucket.name) wait\(until)")
    }

    /// What the scheduler has found: which buckets are spent, and until when.
    private mutating func logWindows(at now: Date) {
        for (bucket, until) in scheduler.heldUntil.sorted(by: { $0.key.name < $1.key.name })
        where until.timeIntervalSince(now) >= Incidents.shortestWait && !incidents.isOn(.rateLimit(bucket)) {
            guard incidents.begin(.window(bucket), at: now) else { continue }
            log(.info, "the rate window is spent: \(bucket.name) wait until \(until.formatted(.iso8601))")
        }
    }

    /// Nothing is under way, and nothing is due for a long time.
    ///
    /// - Parameter time: when the export looks again.
    private mutating func logWait(until time: Date, at now: Date) {
        guard scheduler.isIdle, ending == nil, incidents.beginWait(until: time, at: now) else { return }
        log(.notice, "nothing can be asked for before \(time.formatted(.iso8601)): the API asked to wait (Retry-After)")
    }

    /// A request leaves, or is about to.
    mutating func logRequest(of bucket: Scheduler.Bucket, at now: Date) {
        incidents.asked(at: now)
        if let time = incidents.end(.wait, at: now) {
            log(.notice, "asking the API again, after \(Self.seconds(time))")
        }
        if let time = incidents.end(.window(bucket), at: now) {
            log(.info, "the rate window is open again: \(bucket.name) waited for \(Self.seconds(time))")
        }
    }

    private static func seconds(_ time: TimeInterval) -> String { "\(Int(time.rounded())) s" }
}

extension Scheduler.Bucket {
    fileprivate var name: String {
        switch self {
        case .reads: "reads"
        case .runs: "requests for pages"
        }
    }
}
