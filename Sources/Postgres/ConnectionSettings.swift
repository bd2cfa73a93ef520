import CLibPQ
import Foundation

/// What libpq would connect with: the connection string's settings, a service file's, variables and defaults.
struct ConnectionSettings {
    /// Names as the user wrote them: `PGPORT`, `DATABASE_URL`.
    private let own: Set<String>
    private let ownName: String
    private let values: [String: String]
    private let environment: [String: String]

    /// - Parameters:
    ///   - values: by libpq's keywords, those in force.
    ///   - own: the keywords that the connection string sets.
    ///   - ownName: where the connection string came from.
    init(_ values: [String: String], own: Set<String>, ownName: String, environment: [String: String]) {
        self.values = values
        self.own = own
        self.ownName = ownName
        self.environment = environment
    }

    subscript(keyword: String) -> String? { values[keyword] }

    /// Has libpq find what is in force, without connecting.
    ///
    /// - Parameters:
    ///   - parameters: what it would be given.
    ///   - own: those of them that the connection string sets.
    static func inForce(
        _ parameters: [(key: String, value: String)], own: [(key: String, value: String)], ownName: String
    ) throws(ConnectionSettingProblem) -> ConnectionSettings {
        let values = valuesRead(parameters, barrier: "ssl_max_protocol_version")
        let environment = ProcessInfo.processInfo.environment
        let behind = [
            "password": environment["PGPASSWORD"] ?? "",
            "ssl_max_protocol_version":
                valuesRead(parameters, barrier: "ssl_min_protocol_version")["ssl_max_protocol_version"] ?? "",
        ]
        let settings = ConnectionSettings(
            values.merging(behind) { $1 }.merging(own) { $1 },
            own: Set(own.map(\.key)), ownName: ownName, environment: environment)
        // The port has a default, so where there is none libpq gave up earlier: at the service.
        if values["port"] == nil { throw settings.serviceProblem }
        return settings
    }

    /// What libpq reads before it connects, but for the password and `barrier`.
    ///
    /// - Parameter barrier: a keyword whose value is a version of TLS. One that libpq does not support is refused after
    ///   everything was read and before anything is asked of the network.
    private static func valuesRead(
        _ parameters: [(key: String, value: String)], barrier: String
    ) -> [String: String] {
        // If a password is given, the password file is not opened.
        let raw = ConnectionAttempt.start(parameters + [(key: "password", value: "-"), (key: barrier, value: "-")])
        defer { PQfinish(raw) }
        return Dictionary(raw.map(Self.settings(of:)) ?? []) { first, _ in first }
    }

    static func settings(of raw: OpaquePointer) -> [(key: String, value: String)] {
        guard let options = PQconninfo(raw) else { return [] }
        defer { PQconninfoFree(options) }
        return ConnectionString.settings(options)
    }

    private var serviceProblem: ConnectionSettingProblem {
        let origin = own.contains("service") ? "the service that \(ownName) names" : "the service that PGSERVICE names"
        let file = environment["PGSERVICEFILE"].map { "PGSERVICEFILE (\($0))" } ?? "~/.pg_service.conf"
        return ConnectionSettingProblem(
            isOfConnectionString: own.contains("service"),
            message:
                "\(origin) cannot be used: neither \(file) nor the system's pg_service.conf defines it, or the file "
                + "cannot be read or is malformed: its lines are [service] and key=value")
    }

    /// The first that cannot be used, if there is one. Touches nothing but the files that it names.
    func problem() -> ConnectionSettingProblem? {
        for (keyword, value) in values.sorted(by: { $0.key < $1.key }) where !value.isEmpty {
            if let what = spelling(of: value, keyword) ?? form(of: value, keyword) { return found(keyword, what) }
        }
        return countProblem ?? fileProblem
    }

    private func found(_ keyword: String, _ what: String) -> ConnectionSettingProblem {
        ConnectionSettingProblem(
            isOfConnectionString: own.contains(keyword), message: "\(name(of: keyword)) \(what)")
    }

    /// `PGPORT`; `port in DATABASE_URL`; `port in the service file`.
    func name(of keyword: String) -> String {
        if own.contains(keyword) { return "\(keyword) in \(ownName)" }
        if let variable = ConnectionString.keywords[keyword] ?? nil, environment[variable] == values[keyword] {
            return variable
        }
        return "\(keyword) in the service file"
    }
}

extension ConnectionSettings {
    /// Signs that the value was taken from a file with more than the value in it.
    private func spelling(of value: String, _ keyword: String) -> String? {
        if ["password", "sslpassword"].contains(keyword) {
            return value.last?.isNewline == true ? "ends in a line break" : nil
        }
        guard keyword != "options" else { return nil }
        if value.last?.isNewline == true { return "ends in a line break" }
        if value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return "holds a control character"
        }
        if value.count > 1, let mark = value.first, mark == value.last, ["\"", "'"].contains(mark) {
            return "has quotation marks around it: take them off"
        }
        return nil
    }

    private func form(of value: String, _ keyword: String) -> String? {
        if let words = Self.words[keyword], !words.contains(value) {
            return "must be one of \(words.joined(separator: ", "))"
        }
        if Self.numbers.contains(keyword), Int32(value.trimmingCharacters(in: .whitespaces)) == nil {
            return "must be a whole number"
        }
        switch keyword {
        case "port":
            let ports = value.split(separator: ",", omittingEmptySubsequences: false)
            let areAll = ports.allSatisfy { $0.isEmpty || Port.isValid($0) }
            return areAll ? nil : "must be a whole number from 1 to 65535"
        case "host": return hostProblem(value)
        case "dbname", "user":
            return Self.isConnectionString(value) ? "holds a connection string, which belongs in DATABASE_URL" : nil
        case "ssl_min_protocol_version", "ssl_max_protocol_version":
            let versions = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
            let isOne = versions.contains { $0.lowercased() == value.lowercased() }
            return isOne ? nil : "must be one of \(versions.joined(separator: ", "))"
        case "require_auth": return authenticationProblem(value)
        default: return nil
        }
    }

    /// Methods that the server may ask for; behind a `!` each, those that it may not.
    private func authenticationProblem(_ value: String) -> String? {
        let methods = ["password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"]
        let items = value.split(separator: ",", omittingEmptySubsequences: false)
        let excluded = items.filter { $0.hasPrefix("!") }
        if !excluded.isEmpty, excluded.count < items.count { return "must have a ! before each method, or before none" }
        let names = items.map { $0.hasPrefix("!") ? $0.dropFirst() : $0 }
        let areAll = names.allSatisfy { name in methods.contains { $0 == name } }
        return areAll ? nil : "must name some of \(methods.joined(separator: ", ")), separated by commas"
    }

    private func hostProblem(_ value: String) -> String? {
        if Self.isConnectionString(value) { return "holds a connection string, which belongs in DATABASE_URL" }
        for host in value.split(separator: ",") where !host.hasPrefix("/") && !host.hasPrefix("@") {
            if host.contains("@") { return "contains an @; set the user name separately" }
            if host.contains(where: \.isWhitespace) { return "has white space in it" }
            if host.contains("/") { return "is neither a host nor a folder, which begins with /" }
            if host.firstMatch(of: #/^[^:]*:[0-9]*$/#) != nil {
                return "has a port in it, which is a setting of its own"
            }
        }
        return nil
    }

    private static func isConnectionString(_ value: String) -> Bool {
        value.contains("://") || value.firstMatch(of: #/(^|\s)(host|password|dbname)\s*=/#) != nil
    }

    private static let words: [String: [String]] = [
        "sslmode": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        "gssencmode": ["disable", "prefer", "require"],
        "channel_binding": ["disable", "prefer", "require"],
        "target_session_attrs": ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
        "load_balance_hosts": ["disable", "random"],
        "sslnegotiation": ["postgres", "direct"],
        "sslcertmode": ["disable", "allow", "require"],
        "sslsni": ["0", "1"],
        "sslcompression": ["0", "1"],
    ]

    private static let numbers: Set<String> = [
        "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",
    ]

    /// Lists of hosts, addresses and ports belong together.
    private var countProblem: ConnectionSettingProblem? {
        func count(_ keyword: String) -> Int? {
            values[keyword].flatMap {
                $0.isEmpty ? nil : $0.split(separator: ",", omittingEmptySubsequences: false).count
            }
        }
        let hosts = count("host") ?? count("hostaddr") ?? 1
        if let addresses = count("hostaddr"), addresses != hosts {
            return found("hostaddr", "must name as many addresses as there are hosts")
        }
        if let ports = count("port"), ports != 1, ports != hosts {
            return found("port", "must name one port, or as many as there are hosts")
        }
        return nil
    }

    /// Files that TLS needs, and that are not there: no server is at fault.
    private var fileProblem: ConnectionSettingProblem? {
        let hosts = values["hostaddr"] ?? values["host"] ?? ""
        let isRemote = hosts.split(separator: ",").contains { !$0.hasPrefix("/") && !$0.hasPrefix("@") }
        guard isRemote, let mode = values["sslmode"], mode != "disable" else { return nil }
        if mode.hasPrefix("verify-") {
            let roots = values["sslrootcert"].flatMap { $0.isEmpty ? nil : $0 }
            if roots == "system" {
                guard PQlibVersion() < 160_000 else { return nil }
                return found("sslrootcert", "must be a file's path: \"system\" requires libpq 16")
            }
            if let roots, !Self.isReadable(roots) { return found("sslrootcert", "names a file that cannot be read") }
            if roots == nil, let file = Self.rootFile(nil, home: environment["HOME"]), !Self.isReadable(file) {
                return found(
                    "sslmode",
                    "asks for a verified server, and there is no file of trusted authorities: set sslrootcert "
                        + "(PGSSLROOTCERT)")
            }
        }
        for keyword in ["sslcert", "sslkey"] {
            // A key may also be an engine's: `engine:name`.
            if let path = values[keyword], !path.isEmpty, !path.contains(":"), !Self.isReadable(path) {
                return found(keyword, "names a file that cannot be read")
            }
        }
        return nil
    }

    /// Where libpq looks for trusted authorities; nil if it looks nowhere.
    static func rootFile(_ sslrootcert: String?, home: String?) -> String? {
        if let sslrootcert, !sslrootcert.isEmpty { return sslrootcert }
        return home.map { "\($0)/.postgresql/root.crt" }
    }

    static func isReadable(_ path: String) -> Bool { access(path, R_OK) == 0 }
}
