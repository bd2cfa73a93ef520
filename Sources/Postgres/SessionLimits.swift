/// The time limits that hold for a session's statements, by the names of their settings, each as PostgreSQL shows it.
struct SessionLimits: Sendable {
    private let values: [String: String]

    init(_ values: [String: String] = [:]) { self.values = values.filter { $0.value != "0" } }

    /// `statement_timeout = 500ms`; nil without such a limit.
    func described(_ name: String) -> String? { values[name].map { "\(name) = \($0)" } }

    /// The limits for work that has its own in place of `name`.
    func without(_ name: String) -> SessionLimits { SessionLimits(values.filter { $0.key != name }) }
}

extension PostgresError {
    /// Names the limit that ended the statement, or the session, by the SQLSTATE.
    mutating func blame(_ limits: SessionLimits) {
        switch sqlstate {
        case "57014":
            timeLimit = limits.described("statement_timeout")
        case "55P03":
            guard let limit = limits.described("lock_timeout") else { return }
            timeLimit = limit
            kind = .timeLimit
        // These end the session: nothing else has the code.
        case "25P03": timeLimit = "idle_in_transaction_session_timeout"
        case "25P04": timeLimit = limits.described("transaction_timeout") ?? "transaction_timeout"
        case "57P05": timeLimit = "idle_session_timeout"
        default: return
        }
    }
}
