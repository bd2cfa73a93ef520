import CLibPQ
import Foundation
import Synchronization

/// Connects step by step rather than in libpq's one blocking call: so an attempt can be given up at once, and the
/// server's SQLSTATE is heard, which that call hides.
enum ConnectionAttempt {
    /// How long a cancelled attempt may go on.
    private static let patience: Duration = .milliseconds(50)

    /// Blocks until the connection is made, the time limit passes or `isCancelled` turns true.
    ///
    /// - Parameter longest: the time limit for all hosts together, if the settings' own is longer.
    static func open(
        _ configuration: PostgresConfiguration, atMost longest: Duration? = nil, isCancelled: borrowing Atomic<Bool>
    ) throws(PostgresError) -> ConnectionHandle {
        let parameters: [(key: String, value: String)]
        do throws(ConnectionSettingProblem) {
            parameters = try configuration.parameters()
        } catch {
            throw error.error
        }
        guard let raw = start(parameters) else {
            throw PostgresError(.resources, operation: "connect", message: "out of memory")
        }
        let handle = ConnectionHandle(owning: raw)
        // Silence: libpq would write notices to stderr.
        PQsetNoticeReceiver(raw, { _, _ in }, nil)
        // The only way to learn the SQLSTATE of a refused connection: libpq puts it into the verbose message.
        PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)
        let secrets = effectiveSettings(raw, keys: ["password", "sslpassword"])

        let ownLimit = limit(configuration, raw)
        let timeLimit = longest.map { min($0, ownLimit) } ?? ownLimit
        let deadline = ContinuousClock.now + timeLimit
        var state = PGRES_POLLING_WRITING
        while PQstatus(raw) != CONNECTION_BAD, state != PGRES_POLLING_OK, state != PGRES_POLLING_FAILED {
            if isCancelled.load(ordering: .relaxed) {
                throw PostgresError(.cancelled, operation: "connect", message: "the task was cancelled")
            }
            if ContinuousClock.now >= deadline {
                throw PostgresError(.unreachable, operation: "connect", message: "no connection within \(timeLimit)")
            }
            if isReady(socket: PQsocket(raw), for: state) { state = PQconnectPoll(raw) }
        }
        guard PQstatus(raw) == CONNECTION_OK, state == PGRES_POLLING_OK else {
            throw refusal(raw, secrets: secrets)
        }
        PQsetErrorVerbosity(raw, PQERRORS_DEFAULT)
        let encoding = PQparameterStatus(raw, "server_encoding").map { String(cString: $0) } ?? "unknown"
        guard encoding == "UTF8" else {
            throw PostgresError(
                .setting, operation: "connect",
                message: "the database's encoding is \(encoding); it must be UTF8: create one with `encoding 'UTF8'`")
        }
        return handle
    }

    static func start(_ parameters: [(key: String, value: String)]) -> OpaquePointer? {
        let keys = parameters.map { strdup($0.key) }
        let values = parameters.map { strdup($0.value) }
        defer { (keys + values).forEach { free($0) } }
        return PQconnectStartParams(
            keys.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 0)
    }

    /// The values in force, wherever they come from: string, environment, service file.
    static func effectiveSettings(_ raw: OpaquePointer, keys: Set<String>) -> [String: String] {
        let settings = ConnectionSettings.settings(of: raw).filter { keys.contains($0.key) }
        return Dictionary(settings.map { ($0.key, $0.value) }) { first, _ in first }
    }

    /// For all hosts together. libpq itself applies `connect_timeout` in its blocking call only; there 0 or less means
    /// no limit and 1 means 2.
    private static func limit(_ configuration: PostgresConfiguration, _ raw: OpaquePointer) -> Duration {
        let settings = effectiveSettings(raw, keys: ["connect_timeout", "host", "hostaddr"])
        let hosts = (settings["hostaddr"] ?? settings["host"] ?? "").split(separator: ",").count
        var limit = configuration.connectTimeout
        if let seconds = settings["connect_timeout"].flatMap({ Int32($0.trimmingCharacters(in: .whitespaces)) }) {
            limit = seconds <= 0 ? .seconds(24 * 3600) : .seconds(max(2, seconds))
        }
        return limit * max(1, hosts)
    }

    private static func isReady(socket: Int32, for state: PostgresPollingStatusType) -> Bool {
        let events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT
        var descriptor = pollfd(fd: socket, events: Int16(events), revents: 0)
        return poll(&descriptor, 1, Int32(patience.components.attoseconds / 1_000_000_000_000_000)) > 0
    }

    private static func refusal(_ raw: OpaquePointer, secrets: [String: String]) -> PostgresError {
        var message = PQerrorMessage(raw).map { String(cString: $0) } ?? "libpq gave no reason"
        for secret in secrets.values where !secret.isEmpty {
            message = message.replacingOccurrences(of: secret, with: "…")
        }
        if PQconnectionNeedsPassword(raw) == 1 {
            return PostgresError(.authentication, operation: "connect", message: message)
        }
        let error = VerboseRefusal(message).error
        return refusedParameter(error, raw) ?? error
    }

    /// What the server says of a parameter that it does not take quotes it.
    private static func refusedParameter(_ error: PostgresError, _ raw: OpaquePointer) -> PostgresError? {
        guard let sqlstate = error.sqlstate, ["22", "42"].contains(sqlstate.prefix(2)) || sqlstate == "55P02" else {
            return nil
        }
        let options = effectiveSettings(raw, keys: ["options"])["options"] ?? ""
        // Those that libpq sends on connecting besides.
        let others = ["PGDATESTYLE", "PGTZ", "PGGEQO"].filter { ProcessInfo.processInfo.environment[$0] != nil }
        let names = (options.isEmpty ? [] : ["options (PGOPTIONS)"]) + others
        guard !names.isEmpty else { return nil }
        // The server reads a dash within a name as an underscore.
        let known = options.matches(of: #/(?:-c\s*|--)([A-Za-z_][A-Za-z0-9_.-]*)\s*=/#)
            .map { $0.1.replacingOccurrences(of: "-", with: "_") }
        let named = known.filter { error.message.contains("\"\($0)\"") }
        // Also the SQLSTATE of a role that may not connect to the database at all.
        if sqlstate == "42501", named.isEmpty { return nil }
        let what =
            switch sqlstate {
            case "42704": "a parameter that it does not support"
            case "42601": "what is not in the form -c name=value"
            case "42501": "a parameter that the role may not set"
            case "55P02": "a parameter that cannot be set for a connection"
            default: "a value that it does not take"
            }
        var refusal = PostgresError(
            .setting, operation: "connect",
            message:
                "the server rejects \(names.joined(separator: ", ")): it contains \(what)"
                + (named.isEmpty ? "" : ": \(named.joined(separator: ", "))"))
        refusal.sqlstate = sqlstate
        return refusal
    }
}

/// A refused connection's message in libpq's verbose form: lines of which the server's own hold
/// `FATAL:  53300: sorry, too many clients already`, followed by a line with the place in the server's sources.
struct VerboseRefusal {
    let error: PostgresError

    init(_ text: String) {
        let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("LOCATION:") }
        var sqlstate: String?
        let cleaned = lines.map { line in
            guard let code = line.firstRange(of: #/: {2}[0-9A-Z]{5}: /#) else { return String(line) }
            sqlstate = String(line[code].dropFirst(3).prefix(5))
            return line.replacingCharacters(in: code, with: ": ")
        }
        var kind = sqlstate.map(PostgresError.Kind.init(sqlstate:)) ?? .unreachable
        if kind == .connectionLost { kind = .unreachable }
        var error = PostgresError(kind, operation: "connect", message: cleaned.joined(separator: "\n"))
        error.sqlstate = sqlstate
        self.error = error
    }
}
