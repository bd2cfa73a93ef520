import Foundation

/// What an export writes to the log: each state that lasts once when it begins and once when it ends.
struct Journal: Sendable {
    typealias Severity = ExportMachine.Severity

    private var incidents = Incidents()
    private var clockWitness = ClockWitness()
    private var lines: [(severity: Severity, text: String)] = []

    mutating func note(_ severity: Severity, _ text: String) { lines.append((severity, text)) }

    /// The lines since the last time.
    mutating func takeLines() -> [(severity: Severity, text: String)] {
        defer { lines = [] }
        return lines
    }

    // MARK: Answers

    /// - Parameter inFlight: requests that are still out.
    mutating func answered(inFlight: Int, at now: Date) {
        if let time = incidents.end(.noConnection, at: now) {
            note(.notice, "the API is reached again, after \(Self.seconds(time))")
        }
        if let time = incidents.end(.silence, at: now) {
            note(.notice, "the API answers again, after \(Self.seconds(time))")
        }
        incidents.heard(inFlight: inFlight, at: now)
    }

    /// - Parameters:
    ///   - date: the answer's `Date`.
    ///   - now: by the database's clock.
    mutating func compareClocks(_ date: Date?, at now: Date) {
        if let warning = clockWitness.heard(date, at: now) { note(.warning, warning) }
    }

    mutating func notConnected(_ reason: String, at now: Date) {
        if incidents.begin(.noConnection, at: now) {
            note(.warning, "the API cannot be reached, trying again: \(reason)")
        }
    }

    /// - Parameter opening: when the bucket opens again, as far as that is known.
    mutating func answered(_ status: Int, of bucket: Bucket, opening: Date?, at now: Date) {
        guard status == 429 else {
            if let time = incidents.end(.rateLimit(bucket), at: now) {
                note(.notice, "the API no longer answers 429: \(bucket.name) continue after \(Self.seconds(time))")
            }
            return
        }
        guard incidents.begin(.rateLimit(bucket), at: now) else { return }
        let until = opening.map { " until \($0.formatted(.iso8601))" } ?? ""
        note(.warning, "the API answered 429: \(bucket.name) wait\(until)")
    }

    // MARK: Health

    /// What came of a reply for the API's health.
    mutating func heard(
        _ report: HealthReport, of request: APIHealth.Request, _ decision: APIHealth.Decision, at now: Date
    ) {
        let kind: Incidents.Kind
        let what: String
        if case .page = request {
            (kind, what) = (.failingPages, "the API fails for every request for a page")
        } else {
            (kind, what) = (.failingAPI, "the API fails for all requests")
        }
        switch (report, decision) {
        case (.well, _):
            if let time = incidents.end(kind, at: now) {
                note(.notice, "circuit closed: the API works again, after \(Self.seconds(time))")
            }
        case (.failing(let reason), .probe(let time)):
            if incidents.begin(kind, at: now) {
                note(
                    .warning,
                    "circuit opened: \(what) (\(reason)); one request at a time from \(time.formatted(.iso8601)) on")
            }
        case (.failing, _), (.unknown, _): break
        }
    }

    // MARK: Waiting

    /// A request leaves, or is about to.
    mutating func asked(_ bucket: Bucket, at now: Date) {
        incidents.asked(at: now)
        if let time = incidents.end(.wait, at: now) {
            note(.notice, "asking the API again, after \(Self.seconds(time))")
        }
        if let time = incidents.end(.window(bucket), at: now) {
            note(.info, "the rate window is open again: \(bucket.name) waited for \(Self.seconds(time))")
        }
    }

    /// What lasts until the export looks again.
    ///
    /// - Parameters:
    ///   - windows: the buckets that wait for their window alone, and until when.
    ///   - time: when the export looks again, if no event comes before.
    mutating func waits(for windows: [Bucket: Date], inFlight: Int, until time: Date?, at now: Date) {
        for (bucket, until) in windows.sorted(by: { $0.key.name < $1.key.name })
        where until.timeIntervalSince(now) >= Incidents.shortestWait && !incidents.isOn(.rateLimit(bucket)) {
            guard incidents.begin(.window(bucket), at: now) else { continue }
            note(.info, "the rate window is spent: \(bucket.name) wait until \(until.formatted(.iso8601))")
        }
        silence(inFlight: inFlight, at: now)
        guard let time, incidents.beginWait(until: time, at: now) else { return }
        note(
            .notice, "nothing can be asked for before \(time.formatted(.iso8601)): the API asked to wait (Retry-After)")
    }

    /// When a silence is to be noted if nothing is heard before; nil if none is under way.
    var silenceAt: Date? { incidents.silenceAt }

    private mutating func silence(inFlight: Int, at now: Date) {
        if inFlight == 0 { incidents.idle() }
        guard let time = incidents.silenceAt, time <= now, incidents.begin(.silence, at: now) else { return }
        note(
            .warning,
            """
            the API has not answered for \(Self.seconds(Incidents.silence)), \(inFlight) requests are in flight
            """)
    }

    private static func seconds(_ time: TimeInterval) -> String { "\(Int(time.rounded())) s" }
}

extension Bucket {
    fileprivate var name: String {
        switch self {
        case .reads: "reads"
        case .runs: "requests for pages"
        }
    }
}
