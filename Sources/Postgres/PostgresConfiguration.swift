import CLibPQ
import Foundation

/// Where the database is and how a session there is set up.
package struct PostgresConfiguration: Sendable {
    package var connectionString: String?
    /// Where the connection string came from, for people: `DATABASE_URL`.
    package var connectionStringName: String
    package var applicationName: String
    package var searchPath: String?
    package var connectTimeout: Duration

    /// - Parameters:
    ///   - connectionString: a URI or `key=value` pairs, as libpq reads them; nil, or what it leaves out: libpq's own
    ///     `PG*` variables, service file and password file decide. What it names wins over the defaults made here.
    ///   - connectionStringName: what it is called when it cannot be used.
    ///   - applicationName: shown in `pg_stat_activity` unless the user names another.
    ///   - searchPath: SQL text that the caller vouches for; nil: `pg_catalog` alone, so that every other name has to
    ///     be qualified.
    ///   - connectTimeout: for each host listed, unless the user sets `connect_timeout`.
    package init(
        connectionString: String? = nil,
        connectionStringName: String = "the connection string",
        applicationName: String = "stored-actions",
        searchPath: String? = nil,
        connectTimeout: Duration = .seconds(10)
    ) {
        self.connectionString = connectionString
        self.connectionStringName = connectionStringName
        self.applicationName = applicationName
        self.searchPath = searchPath
        self.connectTimeout = connectTimeout
    }

    /// What libpq is given, in its order: the first that names a key is not undone by a later one here.
    ///
    /// - Throws: what is wrong with them, or with what libpq adds from its variables and its service file.
    func parameters() throws(ConnectionSettingProblem) -> [(key: String, value: String)] {
        let own = try ownSettings()
        var parameters = own
        let defaults: [(key: String, value: String)] = [
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
        let inForce = try ConnectionSettings.inForce(parameters, own: own, ownName: connectionStringName)
        if let problem = inForce.problem() { throw problem }
        return parameters
    }

    private func ownSettings() throws(ConnectionSettingProblem) -> [(key: String, value: String)] {
        guard let connectionString else { return [] }
        do throws(ConnectionString.Reason) {
            return try ConnectionString(connectionString).settings()
        } catch {
            throw ConnectionSettingProblem(
                isOfConnectionString: true,
                message: "\(connectionStringName) \(error.text) (it is not shown, for it may hold a password)")
        }
    }
}

extension PostgresConfiguration {
    /// - Throws: what is wrong with the connection string, or with what libpq adds to it; nothing is connected to.
    package func validate() throws(ConnectionSettingProblem) {
        _ = try parameters()
    }

    /// Whether the connection string itself, not a file or a variable, holds a password. False for what is no
    /// connection string.
    package var holdsPassword: Bool {
        let settings = (try? ownSettings()) ?? []
        return settings.contains { ["password", "sslpassword"].contains($0.key) }
    }
}
