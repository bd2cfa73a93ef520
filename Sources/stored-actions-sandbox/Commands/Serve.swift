import ArgumentParser
import Foundation
import Logging
import ServiceLifecycle

extension Settings.ResetFormat: ExpressibleByArgument {}
extension Settings.RetryAfterFormat: ExpressibleByArgument {}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves the Actions API until SIGTERM or SIGINT.",
        discussion: """
            Prints `listening on http://HOST:PORT` when it is ready. Counts of what was asked are at GET /sandbox/stats, \
            /sandbox/requests, /sandbox/finals and /sandbox/submissions; POST /sandbox/settings changes limit, \
            run_limit, window, fault_rate, down, latency, latency_jitter, post_latency_ms, forbid_everything and \
            lose_everything while it runs, POST /sandbox/reset puts everything back.

            Example:
              stored-actions-sandbox serve --port 0 --limit 60 --window 3 --latency 20
            """
    )

    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 takes any free one.") var port = 8484
    @Option(help: "The seed of all made-up data.") var seed: UInt64 = 1

    @Option(help: "The access token that is always good.") var token = "sandbox-token"
    @Option(help: "The client id that the token endpoint knows.") var clientId = "sandbox-client"
    @Option(help: "Its secret.") var clientSecret = "sandbox-secret"
    @Option(help: "The refresh token that is good once.") var refreshToken = "sandbox-refresh-0"
    @Option(help: "Seconds that an issued token lives.") var tokenLifetime = 36_000
    @Option(help: "The status that answers a bad token: 401 or 403.") var rejectWith = 401
    @Flag(help: "Answer 403 permission_denied to every call.") var forbidEverything = false
    @Flag(help: "Answer 404 to every call.") var loseEverything = false

    @Option(help: "The rate-limit window in seconds; fractions are allowed.") var window = 300.0
    @Option(help: "Reads per window; 0 exempts them, and no headers come.") var limit = 600
    @Option(help: "Started runs per window; 0 exempts them.") var runLimit = 200
    @Option(help: "How X-RateLimit-Reset is written.") var resetFormat = Settings.ResetFormat.epoch
    @Option(help: "How Retry-After is written.") var retryAfter = Settings.RetryAfterFormat.seconds
    @Option(help: "Seconds that this server's clock is ahead.") var clockOffset = 0.0

    @Option(help: "Milliseconds before every answer.") var latency = 0
    @Option(help: "Milliseconds that chance adds at most.") var latencyJitter = 0
    @Option(help: "Milliseconds more before the answer to a POST, once its run is started.") var postLatency = 0
    @Option(help: "The share of reads that go wrong by chance, 0 to 1.") var faultRate = 0.0

    func validate() throws {
        if let complaint = settings.complaint { throw ValidationError(complaint) }
        if !(0...65_535).contains(port) { throw ValidationError("--port must be from 0 to 65535") }
    }

    private var settings: Settings {
        Settings(
            seed: seed, token: token, clientID: clientId, clientSecret: clientSecret, refreshToken: refreshToken,
            tokenLifetime: tokenLifetime, rejectWith: rejectWith, forbidsEverything: forbidEverything,
            losesEverything: loseEverything, window: window, limit: limit, runLimit: runLimit,
            resetFormat: resetFormat, retryAfterFormat: retryAfter, clockOffset: clockOffset, latency: latency,
            latencyJitter: latencyJitter, postLatency: postLatency, faultRate: faultRate)
    }

    func run() async throws {
        var logger = Logger(label: "stored-actions-sandbox") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        let host = host
        let server = try SandboxServer(state: SandboxState(settings)).service(host: host, port: port, logger: logger) {
            FileHandle.standardOutput.write(Data("listening on http://\(host):\($0)\n".utf8))
        }
        // The group reports the cancellation of answers that were still being dawdled over as errors.
        logger.logLevel = .critical
        var configuration = ServiceGroupConfiguration(
            services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // Answers may be made to take minutes: they do not hold up the end.
        configuration.maximumGracefulShutdownDuration = .milliseconds(300)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is CancellationError {
            return
        }
    }
}
