import ActionsAPI
import Foundation
import Postgres

/// A setting of the environment, or a flag that stands for one, is missing or invalid.
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
/// token's file, whose reading is handed in. An empty variable counts as not set.
struct SettingSources {
    var databaseURL: String?
    var apiURL: String?
    var environment: [String: String]
    var readFile: (String) throws -> String = { try String(contentsOfFile: $0, encoding: .utf8) }

    private func variable(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    // MARK: Database

    func database() throws -> Setting<PostgresConfiguration> {
        if let url = databaseURL {
            let configuration = PostgresConfiguration(connectionString: url)
            if try Self.valid(configuration, "--database-url").holdsPassword {
                throw SettingError(
                    "--database-url holds a password, which other users could read in the process list: leave it out "
                        + "there, and put it into DATABASE_URL, PGPASSWORD or libpq's password file")
            }
            return Setting(value: configuration, origin: "--database-url")
        }
        if let url = variable("DATABASE_URL") {
            let configuration = try Self.valid(PostgresConfiguration(connectionString: url), "DATABASE_URL")
            return Setting(value: configuration, origin: "DATABASE_URL")
        }
        return Setting(
            value: PostgresConfiguration(), origin: "libpq's own variables (PG*), service file and password file")
    }

    private static func valid(
        _ configuration: PostgresConfiguration, _ origin: String
    ) throws -> PostgresConfiguration {
        do {
            try configuration.validate()
            return configuration
        } catch {
            throw SettingError("\(origin) is not valid: \(error.message)", isOption: origin.hasPrefix("--"))
        }
    }

    // MARK: API

    static let defaultAPI = "https://api.zapier.com"

    func api() throws -> Setting<String> {
        let setting =
            apiURL.map { Setting(value: $0, origin: "--api-url") }
            ?? variable("ZAPIER_API_URL").map { Setting(value: $0, origin: "ZAPIER_API_URL") }
            ?? Setting(value: Self.defaultAPI, origin: "default")
        let isOption = apiURL != nil
        // What is wrong is not quoted: it may hold a password.
        guard let url = URLComponents(string: setting.value), let scheme = url.scheme, let host = url.host,
            ["http", "https"].contains(scheme.lowercased()), !host.isEmpty, (1...65535).contains(url.port ?? 443)
        else {
            throw SettingError(
                "\(setting.origin) is no http or https address; the default is \(Self.defaultAPI)", isOption: isOption)
        }
        guard url.user == nil, url.password == nil, url.query == nil, url.fragment == nil else {
            throw SettingError(
                "\(setting.origin) must hold nothing but scheme, host, port and path", isOption: isOption)
        }
        let value = setting.value.last == "/" ? String(setting.value.dropLast()) : setting.value
        return Setting(value: value, origin: setting.origin)
    }

    // MARK: Token

    func token() throws -> Setting<AccessToken> {
        if let path = variable("ZAPIER_ACCESS_TOKEN_FILE") {
            let text: String
            do {
                text = try readFile(path)
            } catch {
                throw SettingError("ZAPIER_ACCESS_TOKEN_FILE: \(path) can't be read: \(Self.reason(error))")
            }
            guard let token = AccessToken(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
                throw SettingError("ZAPIER_ACCESS_TOKEN_FILE: \(path) does not hold a token: one line, no spaces")
            }
            return Setting(value: token, origin: "ZAPIER_ACCESS_TOKEN_FILE")
        }
        guard let text = variable("ZAPIER_ACCESS_TOKEN") else {
            throw SettingError(
                "no API token: set ZAPIER_ACCESS_TOKEN_FILE to the path of a file that holds one, or "
                    + "ZAPIER_ACCESS_TOKEN to the token itself")
        }
        guard let token = AccessToken(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw SettingError("ZAPIER_ACCESS_TOKEN does not hold a token: one line of visible ASCII, no spaces")
        }
        return Setting(value: token, origin: "ZAPIER_ACCESS_TOKEN")
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile: "no such file"
        case .fileReadNoPermission: "permission denied"
        case .fileReadInapplicableStringEncoding: "it is not UTF-8"
        default: "it is not a readable file"
        }
    }
}
