import Foundation
import Support
import Testing

import Glibc

/// The steps of a page that a proxy can recognise on the wire.
extension Proxy.Trigger {
    enum Step: Sendable {
        /// The chain's row is about to be locked, for its intent or the run that this became.
        case chainLock
        case durable
        case intent
        case recording
        case copy
        /// A chunk of a COPY's rows.
        case copyData
        case commit
        /// The export's row is about to be closed.
        case closing
        case anything
        case lookup
        case post
        /// A read of a run, the root's included.
        case read
        /// A request of the token endpoint.
        case token

        var isMet: @Sendable (String) -> Bool {
            switch self {
            case .chainLock: { $0.contains("from stored_actions.page_chains") && $0.contains("for update") }
            case .durable: { $0.contains("set local synchronous_commit") }
            case .intent: { $0.contains("insert into stored_actions.page_intents") }
            case .recording: { $0.contains("update stored_actions.page_intents") }
            case .copy: { $0.contains("copy stored_actions.results") }
            case .copyData: { $0.hasPrefix("d") }
            case .commit: { $0.hasPrefix("q") && $0.contains("commit") }
            case .closing: { $0.contains("set finished_at = now(), outcome = $2") }
            case .anything: { _ in true }
            case .lookup: { $0.hasPrefix("get ") && !$0.contains("/runs/") }
            case .post: { $0.hasPrefix("post ") && $0.contains("/run ") }
            case .token: { $0.hasPrefix("post /oauth/") }
            case .read: { $0.hasPrefix("get ") && $0.contains("/runs/") }
            }
        }
    }

    /// A request that never arrives.
    static func held(
        at steps: Step..., occurrence: Int = 1, passing: Share = .nothing, then harm: Harm = .hold
    ) -> Self {
        Self(steps: steps.map(\.isMet), occurrence: occurrence, moment: .held, harm: harm, passing: passing)
    }

    /// A request that arrives, and whose answer is lost, whatever it is.
    static func sent(at steps: Step..., occurrence: Int = 1, then harm: Harm = .hold) -> Self {
        Self(steps: steps.map(\.isMet), occurrence: occurrence, moment: .sent, harm: harm)
    }

    /// A request that was answered, and whose answer does not arrive.
    static func answered(
        at steps: Step..., occurrence: Int = 1, passing: Share = .nothing, then harm: Harm = .hold
    ) -> Self {
        Self(steps: steps.map(\.isMet), occurrence: occurrence, moment: .answered, harm: harm, passing: passing)
    }

    /// So often in all, each time after so many further requests that are alike.
    func repeated(_ times: Int, every: Int = 1) -> Self {
        var trigger = self
        trigger.times = times
        trigger.every = every
        return trigger
    }
}

/// Proxies between the program and both of its servers.
struct Proxies: Sendable {
    let database: Proxy
    let api: Proxy

    /// What leads the program through them.
    var changes: [String: String?] {
        [
            "PGHOST": "127.0.0.1", "PGPORT": "\(database.port)", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable",
            "ZAPIER_API_URL": "http://127.0.0.1:\(api.port)",
        ]
    }

    var fired: Int { database.fired + api.fired }

    func close() {
        database.close()
        api.close()
    }
}

extension Stage {
    /// Runs `body` with proxies that do this harm.
    ///
    /// - Parameter databasePort: of the server; nil: the one that the `PG*` variables name.
    func withProxies<R>(
        database: [Proxy.Trigger] = [], api: [Proxy.Trigger] = [], databasePort: UInt16? = nil,
        _ body: (Proxies) async throws -> R
    ) async throws -> R {
        guard let port = URL(string: sandbox.url)?.port.flatMap(UInt16.init(exactly:)) else {
            throw URLError(.badURL)
        }
        let proxies = Proxies(
            database: try Proxy(before: databasePort ?? TestServer().port, .postgres, database),
            api: try Proxy(before: port, .http, api))
        defer { proxies.close() }
        return try await body(proxies)
    }

    /// A killed program's last transaction may still be under way on the server.
    func waitForSessionsToEnd() async throws {
        try await wait("the killed export's sessions end") { try await database.sessions == 0 }
    }
}
