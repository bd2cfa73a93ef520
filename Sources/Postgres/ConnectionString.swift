import CLibPQ
import Foundation

/// A setting of the connection that cannot be used: which one, and what is wrong with it. The message quotes no value,
/// for a password may have slipped into any of them.
package struct ConnectionSettingProblem: Error, Sendable, Equatable {
    /// It is the connection string's, not a variable's or a service file's.
    package var isOfConnectionString: Bool
    package var message: String

    var error: PostgresError { PostgresError(.setting, operation: "connect", message: message) }
}

/// A connection string: a URI or `key=value` pairs. Pure.
///
/// libpq reads it, but libpq's reasons quote what it cannot read, and it takes a password with an unescaped `/` for a
/// host and a port. So what is wrong is found and said here.
struct ConnectionString {
    /// Without white space and a pair of quotation marks around it, which files of variables leave there.
    let text: String

    init(_ text: String) {
        var text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        if text.count >= 2, let mark = text.first, mark == text.last, ["\"", "'"].contains(mark) {
            text = String(text.dropFirst().dropLast()).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        self.text = text
    }

    /// What it sets, as libpq reads it.
    ///
    /// - Throws: the reason as the end of a sentence whose subject is the string.
    func settings() throws(Reason) -> [(key: String, value: String)] {
        if let reason = suspicion { throw reason }
        var libpqReason: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(text, &libpqReason) else {
            PQfreemem(libpqReason)
            throw Reason(
                uri == nil
                    ? unreadablePair ?? "is neither a PostgreSQL URI nor key=value pairs"
                    : "is not a URI that PostgreSQL reads; \(Self.escapes)")
        }
        defer { PQconninfoFree(options) }
        let settings = Self.settings(options)
        // What is left of a password with an unescaped @ would be reported as an unknown host's name.
        if settings.contains(where: { $0.key == "host" && $0.value.contains("@") }) {
            throw Reason("has an @ in its host; \(Self.escapes)")
        }
        return settings
    }

    struct Reason: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    static let escapes = "within a password write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23, % as %25"

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

    /// By keyword, the environment variable in its place; nil for those without one.
    static let keywords: [String: String?] = {
        guard let options = PQconndefaults() else { return [:] }
        defer { PQconninfoFree(options) }
        var keywords: [String: String?] = [:]
        var option = UnsafePointer(options)
        while let keyword = option.pointee.keyword {
            keywords.updateValue(option.pointee.envvar.map { String(cString: $0) }, forKey: String(cString: keyword))
            option += 1
        }
        return keywords
    }()
}

extension ConnectionString {
    private var uri: Substring? {
        for scheme in ["postgresql://", "postgres://"] where text.hasPrefix(scheme) {
            return text.dropFirst(scheme.count)
        }
        return nil
    }

    /// What is wrong with the string, whether libpq would mind or not.
    private var suspicion: Reason? {
        if text.utf8.contains(0) { return Reason("holds a NUL") }
        if let mark = text.first, ["\"", "'", "`"].contains(mark) { return Reason("begins with a quotation mark") }
        if text.firstMatch(of: #/^(export\s+)?[A-Z_][A-Z0-9_]*=/#) != nil {
            return Reason("begins with the name of a variable: keep what follows the first =")
        }
        if text.hasPrefix("$") { return Reason("is an unexpanded variable") }
        if text.hasPrefix("psql ") { return Reason("is a command: keep the URI alone, without psql") }
        if text.hasPrefix("jdbc:") {
            return Reason("begins with jdbc:, which is Java's: write postgresql://USER@HOST:PORT/DATABASE")
        }
        if let uri { return Self.suspicion(uri: uri) }
        guard let end = text.firstRange(of: "://"), text[..<end.lowerBound].allSatisfy(\.isOfScheme) else { return nil }
        let scheme = text[..<end.lowerBound]
        if scheme.lowercased().hasPrefix("postgres"), let plus = scheme.firstIndex(of: "+") {
            return Reason(
                "begins with \(scheme)://, which names an SQLAlchemy driver; remove \(scheme[plus...])")
        }
        if ["postgresql", "postgres"].contains(scheme.lowercased()) {
            return Reason("has capital letters in its scheme: write postgresql://")
        }
        return Reason("does not begin with postgresql:// or postgres://")
    }

    private static func suspicion(uri: Substring) -> Reason? {
        if uri.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return Reason("holds a line break or another control character")
        }
        if let mark = uri.last, ["\"", "'", "`"].contains(mark) { return Reason("ends in a quotation mark") }
        // As libpq has it: a user's part ends at the first @ before any slash.
        let stop = uri.firstIndex { $0 == "@" || $0 == "/" }
        let user = stop.flatMap { uri[$0] == "@" ? uri[..<$0] : nil }
        let rest = user.map { uri[$0.endIndex...].dropFirst() } ?? uri
        let hosts = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest[hosts.endIndex...].prefix { $0 != "?" }
        let query = rest[path.endIndex...].dropFirst()
        if hosts.contains("@") { return Reason("has an @ in its host; \(escapes)") }
        if path.contains("@") { return Reason("has an @ after a slash; \(escapes)") }
        for host in hosts.split(separator: ",", omittingEmptySubsequences: false) {
            if let reason = suspicion(host: host) { return reason }
        }
        for part in [user ?? "", hosts, path, query] where part.firstMatch(of: #/%(?![0-9A-Fa-f]{2})|%00/#) != nil {
            return Reason("has a % that begins no escape; \(escapes)")
        }
        return query.split(separator: "&").lazy.compactMap { parameter in
            suspicion(parameter: parameter, mayBeQuoted: !query.contains("@"))
        }.first
    }

    private static func suspicion(host: Substring) -> Reason? {
        var port = host
        if host.first == "[" {
            guard let end = host.firstIndex(of: "]") else { return Reason("has an IPv6 address without its ]") }
            port = host[end...].dropFirst()
        }
        guard let colon = port.firstIndex(of: ":") else { return nil }
        let digits = port[colon...].dropFirst()
        if digits.isEmpty || Port.isValid(digits) { return nil }
        return Reason("has a port that is not a number from 1 to 65535; \(escapes)")
    }

    private static func suspicion(parameter: Substring, mayBeQuoted: Bool) -> Reason? {
        let parts = parameter.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return Reason("has a parameter without a value; \(escapes)") }
        if parts.count > 2 { return Reason("has a second = within a parameter: write it as %3D") }
        let key = parts[0].removingPercentEncoding ?? ""
        if key == "ssl", parts[1] == "true" { return nil }
        if let cure = foreignParameters[key] { return Reason("has the parameter \(key)=, \(cure)") }
        guard keywords[key] == nil else { return nil }
        let isWord = key.count <= 40 && key.allSatisfy { $0.isASCII && ($0.isLetter || $0 == "_") }
        return Reason(
            isWord && mayBeQuoted
                ? "has the parameter \(key)=, which PostgreSQL's own library does not support: remove it"
                : "has a parameter that PostgreSQL's own library does not support; \(escapes)")
    }

    /// Other libraries' parameters that people bring along.
    private static let foreignParameters: [String: String] = {
        let prisma = "which is Prisma's: remove it"
        let pool = "which is for another library's pool of connections: remove it"
        return [
            "pgbouncer":
                "which is Prisma's: remove it, and name the server itself or a pooler in session mode",
            "schema":
                "which is Prisma's: remove it, for this program's schema is stored_actions",
            "currentSchema":
                "which is Java's: remove it, for this program's schema is stored_actions",
            "connection_limit": prisma, "pool_timeout": prisma, "socket_timeout": prisma, "sslaccept": prisma,
            "sslidentity": prisma, "statement_cache_size": pool, "prepared_statement_cache_size": pool,
            "prepareThreshold": "which is Java's: remove it",
            "ssl": "which is another library's: write sslmode=require",
            "useSSL": "which is Java's: write sslmode=require",
            "ApplicationName":
                "which is Java's: write application_name=", "application": "which is another library's: remove it",
            "pool_size": pool, "max_pool_size": pool, "pool_mode": pool,
            "charset": "which is another library's: remove it",
            "encoding": "which is another library's: remove it",
            "timezone": "which is another library's: remove it",
        ]
    }()

    /// What is wrong with `key=value` pairs that libpq does not read.
    private var unreadablePair: String? {
        if text.contains(";") {
            return "has semicolons between its pairs, which is .NET's form: write key=value key=value"
        }
        let quoting = "a value with spaces or quotation marks is in single quotes, with \\' and \\\\ within"
        let keys = text.matches(of: #/(?:^|\s)([A-Za-z_]+)\s*=/#).map { String($0.1) }
        // Behind a password that is not quoted anything may be a piece of it.
        for key in keys.prefix(while: { !$0.hasSuffix("password") }) where Self.keywords[key] == nil {
            return "has the key \(key), which PostgreSQL's own library does not support"
        }
        return keys.isEmpty ? nil : "is not made of key=value pairs: \(quoting)"
    }
}

enum Port {
    /// White space is libpq's own leave.
    static func isValid(_ text: some StringProtocol) -> Bool {
        Int(text.trimmingCharacters(in: .whitespaces)).map { (1...65535).contains($0) } ?? false
    }
}

extension Character {
    fileprivate var isOfScheme: Bool { isASCII && (isLetter || isNumber || "+-.:".contains(self)) }
}
