extension PostgresError {
    /// What went wrong, as far as a caller decides by it.
    package enum Kind: Sendable, Hashable, CaseIterable {
        /// No connection could be made: nothing listens there, the name is unknown, the time limit passed.
        case unreachable
        /// The connection broke before COMMIT was sent: nothing of the transaction is stored.
        case connectionLost
        /// The connection broke after COMMIT was sent: the transaction is stored wholly or not at all.
        case commitUnknown
        /// 40001 and 40P01: rolled back for the sake of another transaction; the same may pass when repeated.
        case conflict
        /// 57P01, 57P02, 57P03, 25006: the server stops, has crashed, is still starting, or takes no writes.
        case shutdown
        /// Class 53: no room, no memory, no connection left. Class 58: a file cannot be read or written.
        case resources
        /// 55P03: `lock_timeout` passed, or `nowait` met a lock.
        case lockNotAvailable
        /// Class 28, or a password that the server wants and that was not provided.
        case authentication
        /// The task was cancelled.
        case cancelled
        /// A time limit of the session's settings passed: 57014, 25P04, or 55P03 where `lock_timeout` is set. Also
        /// 57014 when another session cancelled the statement.
        case timeLimit
        /// A setting of the connection is malformed or leads to a server that cannot be worked with: waiting does not
        /// mend it.
        case setting
        /// Classes 22 and 23: the server would not take a value.
        case data
        /// Fewer rows were stored than were sent, and the server reported no error: a trigger dropped them.
        case rowsDropped
        /// 42501.
        case permission
        case other

        /// The kind of an SQLSTATE (https://www.postgresql.org/docs/15/errcodes-appendix.html).
        package init(sqlstate: String) {
            switch sqlstate {
            case "40001", "40P01": self = .conflict
            // 55000: the database takes no connections just now. 25006: it takes no writes, as a standby after a
            // failover.
            case "57P01", "57P02", "57P03", "55000", "25006": self = .shutdown
            case "55P03": self = .lockNotAvailable
            // 25P04: transaction_timeout of PostgreSQL 17.
            case "57014", "25P04": self = .timeLimit
            case "42501": self = .permission
            default:
                switch sqlstate.prefix(2) {
                case "08": self = .connectionLost
                case "22", "23": self = .data
                case "28": self = .authentication
                case "53", "58": self = .resources
                default: self = .other
                }
            }
        }

        /// The same call may pass later without any change. A COMMIT of unknown end is not among them:
        /// it has to be looked up first.
        package var isTransient: Bool {
            switch self {
            case .unreachable, .connectionLost, .conflict, .shutdown, .resources, .lockNotAvailable: true
            case .commitUnknown, .authentication, .cancelled, .timeLimit, .setting, .data, .rowsDropped, .permission,
                .other:
                false
            }
        }

        /// The connection is gone, and with it a transaction whose COMMIT was not sent.
        package var isConnectionLoss: Bool {
            switch self {
            case .unreachable, .connectionLost, .shutdown: true
            case .commitUnknown, .conflict, .resources, .lockNotAvailable, .authentication, .cancelled, .timeLimit,
                .setting, .data, .rowsDropped, .permission, .other:
                false
            }
        }
    }
}
