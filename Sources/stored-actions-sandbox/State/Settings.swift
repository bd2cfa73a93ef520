import Foundation

/// How the server behaves: the options of `serve`, and what `POST /sandbox/settings` changed since.
struct Settings: Sendable {
    enum ResetFormat: String, CaseIterable, Sendable {
        case epoch
        case epochMilliseconds = "epoch-ms"
        case epochFraction = "epoch-fraction"
        case iso8601
        case seconds
        case none
    }

    enum RetryAfterFormat: String, CaseIterable, Sendable {
        case seconds, date, none
    }

    var seed: UInt64 = 1
    /// The token that needs no token endpoint.
    var token = "sandbox-token"
    var clientID = "sandbox-client"
    var clientSecret = "sandbox-secret"
    /// The first refresh token; each is good for one use.
    var refreshToken = "sandbox-refresh-0"
    /// Seconds that an issued token lives.
    var tokenLifetime = 36_000
    /// 401 or 403: how a bad token is answered.
    var rejectWith = 401
    var forbidsEverything = false
    var losesEverything = false
    var isDown = false

    /// Seconds.
    var window: TimeInterval = 300
    /// Reads per window; 0 exempts them.
    var limit = 600
    /// Started runs per window; 0 exempts them.
    var runLimit = 200
    var resetFormat = ResetFormat.epoch
    var retryAfterFormat = RetryAfterFormat.seconds
    /// Seconds that this server's clock is ahead, in `Date` and in resets.
    var clockOffset: TimeInterval = 0

    /// Milliseconds before each answer, and the most that chance adds.
    var latency = 0
    var latencyJitter = 0
    /// Milliseconds more before the answer to a POST, once its run is started.
    var postLatency = 0
    /// The share of reads that go wrong by chance, 0 to 1.
    var faultRate = 0.0

    /// What is wrong with these, for a person; nil when all is well.
    var complaint: String? {
        if !(window > 0 && window <= 86_400) { return "the window must be over 0 and at most 86400 seconds" }
        if limit < 0 || runLimit < 0 { return "a limit must not be negative (0 exempts from it)" }
        if !(0...1).contains(faultRate) { return "the fault rate must be from 0 to 1" }
        if ![latency, latencyJitter, postLatency].allSatisfy((0...600_000).contains) {
            return "latencies and jitter must be from 0 to 600000 milliseconds"
        }
        if abs(clockOffset) > 1_000_000_000 { return "the clock offset must be within 1000000000 seconds" }
        if ![401, 403].contains(rejectWith) { return "a bad token is answered with 401 or 403" }
        if tokenLifetime < 0 { return "the token lifetime must not be negative" }
        return nil
    }
}

/// The body of `POST /sandbox/settings`; what is absent stays as it is.
struct SettingsChange: Decodable, Sendable {
    var limit: Int?
    var runLimit: Int?
    var window: Double?
    var faultRate: Double?
    var down: Bool?
    var latency: Int?
    var latencyJitter: Int?
    var postLatencyMilliseconds: Int?
    var forbidEverything: Bool?
    var loseEverything: Bool?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case limit, window, down, latency
        case runLimit = "run_limit"
        case faultRate = "fault_rate"
        case latencyJitter = "latency_jitter"
        case postLatencyMilliseconds = "post_latency_ms"
        case forbidEverything = "forbid_everything"
        case loseEverything = "lose_everything"
    }

    /// The settings after this change; throws when a key is unknown or a value is out of its range.
    static func applied(_ body: [UInt8], to settings: Settings) throws(Refusal) -> Settings {
        guard let keys = try? JSONDecoder().decode([String: Anything].self, from: Data(body)).keys,
            let change = try? JSONDecoder().decode(SettingsChange.self, from: Data(body))
        else { throw Refusal(reason: "not a JSON object with values of the right types") }
        if let stranger = keys.sorted().first(where: { CodingKeys(stringValue: $0) == nil }) {
            let known = CodingKeys.allCases.map(\.stringValue).joined(separator: ", ")
            throw Refusal(reason: "\(stranger) is not a setting; these are: \(known)")
        }
        var changed = settings
        changed.limit = change.limit ?? settings.limit
        changed.runLimit = change.runLimit ?? settings.runLimit
        changed.window = change.window ?? settings.window
        changed.faultRate = change.faultRate ?? settings.faultRate
        changed.isDown = change.down ?? settings.isDown
        changed.latency = change.latency ?? settings.latency
        changed.latencyJitter = change.latencyJitter ?? settings.latencyJitter
        changed.postLatency = change.postLatencyMilliseconds ?? settings.postLatency
        changed.forbidsEverything = change.forbidEverything ?? settings.forbidsEverything
        changed.losesEverything = change.loseEverything ?? settings.losesEverything
        if let complaint = changed.complaint { throw Refusal(reason: complaint) }
        return changed
    }

    struct Refusal: Error, Equatable {
        let reason: String
    }

    private struct Anything: Decodable {
        init(from decoder: any Decoder) throws {}
    }
}
