import Foundation
import Postgres
import Testing

/// Where a fault is played: a stage, and an export of a manifest on it.
struct Scene: Sendable {
    /// A disturbed call under way.
    struct Act: Sendable {
        let scene: Scene
        let proxies: Proxies
        let running: Program.Running
        let log: Log
    }

    static let runs = 2000

    /// Results of several rows, some of them long; partner errors; 404, of which some are not settled yet; 409 and 403, the
    /// latter so few that a call which asks for nothing else does not doubt its token.
    static let manifest = manifest(name: "today", 0..<UInt64(runs))
    private static let json = manifest.json
    private static let dayAgo = Date.daysAgo(1)
    private static let eightDaysAgo = Date.daysAgo(8)

    static func manifest(name: String, _ numbers: Range<UInt64>) -> Manifest {
        let runs = numbers.map { number -> Manifest.Run in
            switch number % 160 {
            case 11: return Manifest.Run(.forbidden, number: number, executed: dayAgo)
            default: break
            }
            return switch number % 40 {
            case 3, 23: Manifest.Run(.error, 2, number: number, executed: dayAgo)
            case 7: Manifest.Run(.missing, number: number, executed: dayAgo)
            case 13: Manifest.Run(.conflict, number: number, executed: dayAgo)
            case 17: Manifest.Run(.missing, number: number, executed: eightDaysAgo)
            case 29: Manifest.Run(.large, 12, number: number, executed: dayAgo)
            default: Manifest.Run(.success, Int(number % 5) + 2, number: number, executed: dayAgo)
            }
        }
        return Manifest(name: name, runs: runs)
    }

    /// What an export leaves that nothing disturbs.
    struct Whole: Sendable {
        let rows: StoredRows
        let outcomes: [String: Int]
    }

    static let undisturbed = Task {
        try await Stage.with("--run-limit", "0") { stage in
            let export = try await stage.export(manifest)
            #expect(export.status == 3, "\(export.finished.stderr)")
            return Whole(rows: try await StoredRows(in: stage.database), outcomes: try export.summary.met)
        }
    }

    let stage: Stage
    let cluster: PrivateCluster?
    private let settled = Settled()

    /// Plays `body` on a stage of its own.
    static func with<R: Sendable>(
        _ fault: Fault, _ body: @escaping @Sendable (Scene) async throws -> R
    ) async throws -> R {
        try await Stage.beside(fault.sandbox) { stage in
            try stage.write(json, to: "today.json")
            guard fault.hasOwnCluster else { return try await body(Scene(stage: stage, cluster: nil)) }
            return try await PrivateCluster.with { try await body(Scene(stage: stage, cluster: $0)) }
        }
    }

    private init(stage: Stage, cluster: PrivateCluster?) {
        self.stage = stage
        self.cluster = cluster
    }

    /// A connection to the export's database as it is now.
    func database() async throws -> TestDatabase { try await cluster?.database() ?? stage.database }

    /// `export --json` of the manifest, or of another.
    func export(
        _ options: [String] = [], of manifest: Manifest? = nil, changes: [String: String?] = [:],
        during: @escaping @Sendable (Program.Running) async throws -> Void = { _ in }
    ) async throws -> Export {
        if let manifest { try stage.write(manifest.json, to: "\(manifest.name).json") }
        return Export(
            finished: try await stage.run(
                command(manifest?.name, options), changes: databaseChanges.merging(changes) { $1 }, during: during))
    }

    private func command(_ name: String?, _ options: [String]) -> [String] {
        ["export", "--manifest", stage.folder.appending(path: "\(name ?? "today").json").path, "--json"] + options
    }

    private var databaseChanges: [String: String?] { (cluster?.environment ?? [:]).mapValues(Optional.some) }

    func migrate() async throws -> Int32 {
        try await stage.run(["migrate", "--json"], changes: databaseChanges).status
    }

    func waitForSessionsToEnd() async throws {
        let database = try await database()
        try await wait("the export's sessions end") { try await database.sessions == 0 }
    }

    /// Plays one call.
    func play(_ call: Fault.Call) async throws -> (export: Export, pulled: Int) {
        let port = (cluster?.environment["PGPORT"]).flatMap(UInt16.init)
        return try await stage.withProxies(database: call.database, api: call.api, databasePort: port) { proxies in
            let finished = try await stage.runLogged(
                command(nil, call.options), changes: databaseChanges.merging(proxies.changes) { $1 }
            ) { running, log in
                try await call.during(Act(scene: self, proxies: proxies, running: running, log: log))
            }
            return (Export(finished: finished), proxies.fired)
        }
    }

    /// Notes which runs are settled now, and how often each was asked for: from now on no more.
    func noteSettled() async throws {
        let database = try await database()
        guard try await database.holds("to_regclass('stored_actions.runs') is not null") else { return }
        let runs =
            try await database.value(
                "select string_agg(run_id::text, ' ') as runs from runs where outcome in ('success', 'error', 'expired')"
            )
            ?? ""
        // What was committed before the counts were read cannot be on its way any more.
        await settled.note(runs.split(separator: " ").map(String.init), try await stage.sandbox.requestsByRun)
    }

    /// How often runs were asked for after they were noted to be settled.
    func fetchedAgain() async throws -> Int { await settled.fetchedAgain(try await stage.sandbox.requestsByRun) }

    /// What the summary tells is what the database holds.
    func expectTrue(_ export: Export, items: Int = Scene.runs) async throws {
        let summary = try export.summary
        #expect(summary.items == items)
        #expect(summary.outcomes.values.reduce(0, +) == items)
        let (database, id) = (try await database(), summary.exportId)
        let stored = try await database.count("results where export_id = \(id)")
        #expect(stored == summary.results)
        let settled = try await database.value("select already_settled from exports where export_id = \(id)")
        #expect(settled == "\(summary.alreadySettled)")
        let asked = try await database.count("export_items where export_id = \(id)")
        #expect(asked + summary.alreadySettled + (summary.outcomes["queued"] ?? 0) == items)
    }

    private actor Settled {
        /// By run, the least count that stood when it was settled.
        private var counts: [String: Int] = [:]

        func note(_ runs: [String], _ requests: [String: Int]) {
            for run in runs where counts[run] == nil { counts[run] = requests[run, default: 0] }
        }

        func fetchedAgain(_ requests: [String: Int]) -> Int {
            counts.reduce(0) { $0 + requests[$1.key, default: 0] - $1.value }
        }
    }
}

extension Scene.Act {
    /// Waits until so many triggers have been pulled.
    func pulled(_ count: Int = 1) async throws {
        try await wait("trigger \(count) is pulled") {
            if proxies.fired >= count { return true }
            if running.hasEnded { throw EndedBefore(trigger: count) }
            return false
        }
    }

    struct EndedBefore: Error {
        /// Which was never pulled.
        let trigger: Int
    }
}
