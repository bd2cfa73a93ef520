/// What a request is for, from its method and path.
enum Route: Equatable, Sendable {
    enum Control: String, Sendable {
        case stats, requests, finals, submissions, settings, reset
    }

    case run(action: CodedID, run: CodedID)
    case submit(action: CodedID)
    case lookup(action: CodedID)
    case list
    case token
    case control(Control)
    case unknown
    case wrongMethod(allowed: String)

    init(method: String, path: String) {
        let parts = path.split(separator: "/").map(String.init)
        switch parts.first {
        case "actions": self = Self.api(method: method, parts)
        case "oauth": self = parts == ["oauth", "token"] ? Self.only("POST", method, .token) : .unknown
        case "sandbox":
            guard parts.count == 2, let control = Control(rawValue: parts[1]) else {
                self = .unknown
                return
            }
            self = Self.only(control.changes ? "POST" : "GET", method, .control(control))
        default: self = .unknown
        }
    }

    private static func api(method: String, _ parts: [String]) -> Route {
        guard parts.prefix(3) == ["actions", "v1", "stored-actions"] else { return .unknown }
        if parts.count == 3 { return only("GET", method, .list) }
        guard let action = CodedID(parsing: parts[3]) else { return .unknown }
        if parts.count == 4 { return only("GET", method, .lookup(action: action)) }
        if parts.count == 5, parts[4] == "run" { return only("POST", method, .submit(action: action)) }
        if parts.count == 6, parts[4] == "runs", let run = CodedID(parsing: parts[5]) {
            return only("GET", method, .run(action: action, run: run))
        }
        return .unknown
    }

    private static func only(_ allowed: String, _ method: String, _ route: Route) -> Route {
        method == allowed ? route : .wrongMethod(allowed: allowed)
    }

    static func path(action: CodedID, run: CodedID) -> String {
        "/actions/v1/stored-actions/\(action)/runs/\(run)"
    }

    /// The bucket that pays for it. Look-ups and the list are reads, too: the API documents no bucket of theirs.
    var bucket: Bucket? {
        switch self {
        case .run, .lookup, .list: .reads
        case .submit: .runs
        case .token, .control, .unknown, .wrongMethod: nil
        }
    }

    enum Bucket: Sendable {
        case reads, runs
    }

    var kind: Tally.Kind? {
        switch self {
        case .run: .read
        case .submit: .run
        case .lookup, .list: .lookup
        case .token: .token
        case .control, .unknown, .wrongMethod: nil
        }
    }

    var runKey: Tally.RunKey? {
        guard case .run(let action, let run) = self else { return nil }
        return Tally.RunKey(action: action, run: run)
    }
}

extension Route.Control {
    fileprivate var changes: Bool { self == .settings || self == .reset }
}
