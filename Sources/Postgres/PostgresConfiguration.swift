import CLibPQ
import Foundation

/// Where the database is and how a session there is set up.
package struct PostgresConfiguration: Sendable {
    package var connectionString: String?
    package var applicationName: String
    package var searchPath: String?
    package var connectTimeout: Duration

    /// - Parameters:
    ///   - connectionString: a URI or `key=value` pairs, as libpq reads them; nil, or what it leaves out: libpq's own
    ///     `PG*` variables, service file and password file decide. What it names wins over the defaults made here.
    ///   - applicationName: shown in `pg_stat_activity` unless the user names another.
    ///   - searchPath: SQL text that the caller vouches for; nil: `pg_catalog` alone, so that every other name has to
    ///     be qualified.
    ///   - connectTimeout: for each host listed, unless the user sets `connect_timeout`.
    package init(
        connectionString: String? = nil,
        applicationName: String = "stored-actions",
        searchPath: String? = nil,
        connectTimeout: Duration = .seconds(10)
    ) {
        self.connectionString = connectionString
        self.applicationName = applicationName
        self.searchPath = searchPath
        self.connectTimeout = connectTimeout
    }

    /// What libpq is given, in its order: the first that names a key is not undone by a later one here.
    func parameters() throws(PostgresError) -> [(key: String, value: String)] {
        let own = try connectionString.map(Self.parse) ?? []
        var parameters = own
        let defaults: [(key: String, value: String)] = [
            ("fallback_application_name", applicationName),
            ("keepalives", "1"),
            ("keepalives_idle", "30"),
            ("keepalives_interval", "10"),
            ("keepalives_count", "3"),
            // Also ends a COPY whose server has read nothing for so long, so it is no shorter than a lock may last.
            ("tcp_user_timeout", "60000"),
        ]
        for item in defaults where !own.contains(where: { $0.key == item.key }) {
            parameters.append(item)
        }
        // Strings are UTF-8 on this side of the connection, whatever the user's setting.
        parameters.removeAll { $0.key == "client_encoding" }
        parameters.append(("client_encoding", "UTF8"))
        return parameters
    }

    private static func parse(_ string: String) throws(PostgresError) -> [(key: String, value: String)] {
        func refusal(_ message: String) -> PostgresError {
            PostgresError(.other, operation: "read the connection string", message: message)
        }
        guard !string.utf8.contains(0) else { throw refusal("it holds a NUL") }
        var reason: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(string, &reason) else {
            // libpq's reason quotes the string, password included, so it is not passed on.
            PQfreemem(reason)
            throw refusal("it is neither a PostgreSQL URI nor key=value pairs (not shown: it may hold a password)")
        }
        defer { PQconninfoFree(options) }
        let settings = Self.settings(options)
        // What is left of a password with an unescaped @ would be told as an unknown host's name.
        if settings.contains(where: { $0.key == "host" && $0.value.contains("@") }) {
            throw refusal("the host holds an @: write one within a password as %40")
        }
        return settings
    }

    /// The set ones of an array that libpq ends with a null keyword.
    static func settings(_ options: UnsafePointer<PQconninfoOption>) -> [(key: String, value: String)] {
        var settings: [(key: String, value: String)] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                settings.append((String(cString: keyword), String(cString: value)))
            }
            option += 1
        }
        return settings
    }
}

extension PostgresConfiguration {
    /// - Throws: `PostgresError` if the connection string is not one; its message does not quote it.
    package func validate() throws(PostgresError) {
        _ = try parameters()
    }

    /// Whether the connection string itself, not a file or a variable, holds a password. False for what is no
    /// connection string.
    package var holdsPassword: Bool {
        let settings = (try? parameters()) ?? []
        return settings.contains { ["password", "sslpassword"].contains($0.key) }
    }
}
