import ActionsAPI
import ActionsHTTP
import Exporter
import Foundation
import Postgres

/// A setting of the environment, or the flag in its place, is missing or invalid.
struct SettingError: Error, CustomStringConvertible {
    var description: String
    /// It is the value of a flag that cannot be used, not the environment: bad usage.
    var isOption: Bool

    init(_ description: String, isOption: Bool = false) {
        self.description = description
        self.isOption = isOption
    }
}

/// A value, and where it came from: a flag, a variable, or the default.
struct Setting<Value> {
    var value: Value
    var origin: String
}

/// Where settings are looked up: flags win over the environment, the environment over defaults. Pure but for the
/// files of secrets, whose reading is handed in, and of certificates. An empty variable counts as not set, and a line
/// break behind a value, as of a file with Windows line ends, is not of it.
struct SettingSources {
    var databaseURL: String?
    var apiURL: String?
    var account: String?
    var allowsInsecureHTTP = false
    var environment: [String: String]
    var readFile: (String) throws -> String = SecretText.read

    private func variable(_ name: String) -> String? {
        guard let value = environment[name], let end = value.lastIndex(where: { !$0.isNewline }) else { return nil }
        return String(value[...end])
    }

    // MARK: Database

    func database() throws -> Setting<PostgresConfiguration> {
        if let url = databaseURL {
            let configuration = PostgresConfiguration(connectionString: url, connectionStringName: "--database-url")
            if try Self.valid(configuration).holdsPassword {
                throw SettingError(
                    "--database-url holds a password, which other users could read in the process list: leave it out "
                        + "there, and put it into DATABASE_URL, PGPASSWORD or libpq's password file")
            }
            return Setting(value: configuration, origin: "--database-url")
        }
        if let url = variable("DATABASE_URL") {
            let configuration = PostgresConfiguration(connectionString: url, connectionStringName: "DATABASE_URL")
            return Setting(value: try Self.valid(configuration), origin: "DATABASE_URL")
        }
        return Setting(
            value: try Self.valid(PostgresConfiguration()),
            origin: "libpq's own variables (PG*), service file and password file")
    }

    private static func valid(_ configuration: PostgresConfiguration) throws -> PostgresConfiguration {
        do throws(ConnectionSettingProblem) {
            try configuration.validate()
            return configuration
        } catch {
            throw SettingError(
                error.message,
                isOption: error.isOfConnectionString && configuration.connectionStringName.hasPrefix("--"))
        }
    }

    // MARK: Account

    /// Whose runs these are.
    func accountName() throws -> Setting<ZapierAccount> {
        let given =
            account.map { Setting(value: $0, origin: "--account") }
            ?? variable("ZAPIER_ACCOUNT").map { Setting(value: $0, origin: "ZAPIER_ACCOUNT") }
        guard let given else { return Setting(value: .standard, origin: "default") }
        guard let account = ZapierAccount(name: given.value) else {
            let fault = ZapierAccount.fault(given.value) ?? ""
            throw SettingError("\(given.origin) cannot name an account: \(fault)", isOption: account != nil)
        }
        return Setting(value: account, origin: given.origin)
    }

    // MARK: API

    static let defaultAPI = "https://api.zapier.com"

    static let defaultTokenURL = "https://zapier.com/oauth/token/"

    func api() throws -> Setting<String> {
        var setting = try address(flag: apiURL.map { ("--api-url", $0) }, "ZAPIER_API_URL", default: Self.defaultAPI)
        if setting.value.last == "/" { setting.value.removeLast() }
        return setting
    }

    /// Where tokens are asked for.
    func tokenURL() throws -> Setting<String> {
        try address(flag: nil, "ZAPIER_TOKEN_URL", default: Self.defaultTokenURL)
    }

    private func address(
        flag: (name: String, value: String)?, _ name: String, default standard: String
    ) throws -> Setting<String> {
        let setting =
            flag.map { Setting(value: $0.value, origin: $0.name) }
            ?? variable(name).map { Setting(value: $0, origin: name) } ?? Setting(value: standard, origin: "default")
        func wrong(_ what: String) -> SettingError {
            SettingError("\(setting.origin) \(what)", isOption: flag != nil)
        }
        // What is wrong is not quoted: it may hold a password.
        guard let url = URLComponents(string: setting.value), let scheme = url.scheme?.lowercased(),
            let host = url.host,
            ["http", "https"].contains(scheme), !host.isEmpty, (1...65535).contains(url.port ?? 443)
        else { throw wrong("is not an http or https address; the default is \(standard)") }
        guard url.user == nil, url.password == nil, url.query == nil, url.fragment == nil else {
            throw wrong("must hold nothing but scheme, host, port and path")
        }
        guard scheme == "https" || allowsInsecureHTTP || Address.isLoopback(host: host) else {
            throw wrong(
                "is plain http, over which others could read tokens and results: use https, or --allow-insecure-http if "
                    + "the network is your own")
        }
        return setting
    }

    /// The authorities to trust in place of the system's; nil for those.
    func trustRoots() throws -> TrustRoots? {
        guard let path = variable("SSL_CERT_FILE") else { return nil }
        guard let roots = TrustRoots(path: path) else {
            throw SettingError("SSL_CERT_FILE: \(path) can't be read, or holds no certificate in PEM form")
        }
        return roots
    }

    // MARK: Token

    /// The first of an access token, a refresh token and client credentials that is set.
    func token() throws -> Setting<TokenSetting> {
        if let path = variable("ZAPIER_ACCESS_TOKEN_FILE") {
            let token = try accessToken(try read(path, "ZAPIER_ACCESS_TOKEN_FILE"), "ZAPIER_ACCESS_TOKEN_FILE: \(path)")
            return Setting(
                value: TokenSetting(kind: .file(path: path, token), files: [path]), origin: "ZAPIER_ACCESS_TOKEN_FILE")
        }
        if let text = variable("ZAPIER_ACCESS_TOKEN") {
            let token = try accessToken(text, "ZAPIER_ACCESS_TOKEN")
            return Setting(value: TokenSetting(kind: .fixed(token), files: []), origin: "ZAPIER_ACCESS_TOKEN")
        }
        if let path = variable("ZAPIER_REFRESH_TOKEN_FILE") {
            guard let (client, file) = try client() else {
                throw SettingError(
                    "ZAPIER_REFRESH_TOKEN_FILE goes with ZAPIER_CLIENT_ID and ZAPIER_CLIENT_SECRET_FILE or "
                        + "ZAPIER_CLIENT_SECRET")
            }
            try SecretText.check(
                try read(path, "ZAPIER_REFRESH_TOKEN_FILE"), "ZAPIER_REFRESH_TOKEN_FILE: \(path)", .secret)
            return Setting(
                value: TokenSetting(kind: .refreshToken(path: path, client), files: [path] + file),
                origin: "ZAPIER_REFRESH_TOKEN_FILE")
        }
        guard let (client, file) = try client() else {
            throw SettingError(
                "no API token: set ZAPIER_ACCESS_TOKEN_FILE to the path of a file that holds one, or "
                    + "ZAPIER_ACCESS_TOKEN to the token itself, or ZAPIER_CLIENT_ID and ZAPIER_CLIENT_SECRET_FILE to ask "
                    + "for tokens with")
        }
        return Setting(
            value: TokenSetting(kind: .clientCredentials(client), files: file), origin: "ZAPIER_CLIENT_ID")
    }

    private func accessToken(_ text: String, _ place: String) throws -> AccessToken {
        guard let token = AccessToken(try SecretText.check(text, place, .accessToken)) else {
            throw SettingError("\(place) does not hold a token: one line of visible ASCII, no spaces")
        }
        return token
    }

    /// - Returns: nil if neither half is set.
    private func client() throws -> (ClientCredentials, files: [String])? {
        let id = variable("ZAPIER_CLIENT_ID")
        let path = variable("ZAPIER_CLIENT_SECRET_FILE")
        let text = try path.map { try read($0, "ZAPIER_CLIENT_SECRET_FILE") } ?? variable("ZAPIER_CLIENT_SECRET")
        if id == nil, text == nil { return nil }
        guard let id else {
            throw SettingError("ZAPIER_CLIENT_ID is missing: a client secret is set, and says nothing without it")
        }
        guard let text else {
            throw SettingError("ZAPIER_CLIENT_ID is set: ZAPIER_CLIENT_SECRET_FILE or ZAPIER_CLIENT_SECRET is missing")
        }
        try SecretText.check(id, "ZAPIER_CLIENT_ID", .secret)
        let place = path.map { "ZAPIER_CLIENT_SECRET_FILE: \($0)" } ?? "ZAPIER_CLIENT_SECRET"
        guard let secret = Secret(try SecretText.check(text, place, .secret)) else {
            throw SettingError("\(place) is empty")
        }
        return (ClientCredentials(id: id, secret: secret), path.map { [$0] } ?? [])
    }

    private func read(_ path: String, _ name: String) throws -> String {
        do {
            return try readFile(path)
        } catch {
            throw SettingError("\(name): \(path) can't be read: \(Self.reason(error))")
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile: "no such file"
        case .fileReadNoPermission: "permission denied"
        case .fileReadInapplicableStringEncoding: "it is not UTF-8, but perhaps Latin-1 or UTF-16"
        case .fileReadTooLarge: "it is larger than the 16 KB of the longest token: it is another file"
        default: "it is not a readable file"
        }
    }
}
