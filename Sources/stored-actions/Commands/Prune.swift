import ArgumentParser
import ExportCore
import Exporter
import Foundation
import Postgres
import Synchronization

struct Prune: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Permanently deletes old results, errors and raw bodies; each run is remembered as done.",
        discussion: """
            The age of a run is that of its answer. Prune deletes what the answer brought: rows of results, errors, \
            api_errors, rejects and run_bodies, fields that have no column, and cursors. A run's row stays, with its \
            outcome, its counts and pruned_at, so no export fetches it again. Runs that may still be fetched are kept \
            whole, and pages of chains that have not come to their end.

            Old exports are deleted as well, with their rows in export_manifests and export_items: those that ended \
            more than 90 days ago, or as long ago as --exports-older-than says. The newest export of each manifest is \
            kept, and one whose request for a page may be in doubt. With --stored-action no export is deleted.

            The API deletes results after seven days, so older ones cannot be fetched again. Use --dry-run first. In a \
            duration m is minutes, d is days.

            EXAMPLES
              stored-actions prune --older-than 90d --dry-run
              stored-actions prune --older-than 90d
            """)

    @Option(
        help: ArgumentHelp("Prune runs whose answer is older than this: 90d, 2160h.", valueName: "duration"))
    var olderThan: DurationArgument?

    @Option(
        help: ArgumentHelp(
            "Delete exports that ended longer ago than this: 90d, 2160h. (default with --older-than: 90d)",
            valueName: "duration"))
    var exportsOlderThan: DurationArgument?

    @Option(help: ArgumentHelp("Prune runs of this stored action alone.", valueName: "uuid"))
    var storedAction: UUID?

    @Flag(help: "Only show what would be deleted.")
    var dryRun = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    mutating func validate() throws {
        guard olderThan != nil || exportsOlderThan != nil else {
            throw ValidationError("Say what to delete: --older-than 90d, --exports-older-than 90d, or both.")
        }
        for (option, age) in [("--older-than", olderThan), ("--exports-older-than", exportsOlderThan)] {
            if let age, age.duration <= .zero { throw ValidationError("\(option) is longer than 0, such as 90d.") }
        }
        if storedAction != nil, olderThan == nil || exportsOlderThan != nil {
            throw ValidationError(
                "--stored-action goes with --older-than alone: an export is not of one stored action.")
        }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let sources = SettingSources(database: database, account: account)
        let (configuration, owner) = (try sources.database().value, try sources.accountName().value)
        let progress = Progress()
        let work = Task {
            try await PostgresSession.withSession(configuration) { connection in
                try await Pruner.setUp(connection)
            } _: { session in
                let migrator = Migrator(toolVersion: toolVersion)
                if dryRun {
                    let newer = try await migrator.requireReadable(on: session)
                    if let newer { console.logger.warning("\(newer.text)") }
                } else {
                    try await migrator.requireUpToDate(on: session)
                }
                let clock = try await SteadyClock().ofDatabase(on: session, logger: console.logger)
                return try await prune(
                    Scope(self, account: owner, at: clock.now), on: session, progress, console, desk)
            }
        }
        desk.onExit { signal in
            let failure =
                progress.current.map { self.failure(CancellationError(), after: $0, signal: signal) }
                ?? Failure(interruptedBy: signal)
            return console.end(with: failure, json: output.json ? failure.json : nil)
        }
        desk.enter(.working(isUnderWay: { progress.hasBegun }, cancel: { work.cancel() }))
        do {
            return try await work.value
        } catch {
            guard let current = progress.current else { throw error }
            throw failure(error, after: current, signal: desk.received)
        }
    }

    private func prune(
        _ scope: Scope, on session: PostgresSession, _ progress: Progress, _ console: Console, _ desk: SignalDesk
    ) async throws -> Report {
        let pruner = Pruner(session: session)
        if let storedAction, try await !pruner.contains(storedAction: storedAction, of: scope.account) {
            throw Failure(
                ExitStatus.usage,
                "account \"\(scope.account.name)\" has no stored action \(storedAction.uuidString.lowercased()) in this "
                    + "database")
        }
        let (doing, isStopped) = (dryRun ? "looking for" : "pruning", { desk.received != nil })
        progress.begin(scope)
        var kept: PruneKept?
        if let runs = scope.runs {
            console.logger.info("\(doing) runs of account \(scope.account.name) \(runs.description)")
            if let olderThan, olderThan.duration < retention {
                console.logger.warning(
                    "the API still has results younger than seven days: export --refetch would store them again")
            }
            let isWhole = try await pruner.prune(runs, dryRun: dryRun, isStopped: isStopped) { counts in
                progress.set(runs: counts)
                console.live("\(count(counts.runs, "run")) \(verb) so far")
            }
            if isWhole { kept = try await pruner.kept(runs) }
        }
        if let exports = scope.exports, !isStopped() {
            console.logger.info("\(doing) exports of account \(scope.account.name) \(exports.description)")
            _ = try await ExportPruner(session: session).prune(exports, dryRun: dryRun, isStopped: isStopped) {
                progress.add($0)
            }
        }
        var result = Result(scope: scope, isDryRun: dryRun, counts: progress.current?.counts ?? PruneCounts())
        result.kept = kept
        if let signal = desk.received { result.exitStatus = ExitStatus.interrupted(by: signal) }
        return Report(text: text(result), json: result, exitStatus: result.exitStatus)
    }

    /// What a prune that cannot go on has to say, which is also what it has done.
    private func failure(
        _ error: any Error, after progress: Progress.Current, signal: Int32?
    ) -> Failure {
        let counts = progress.counts
        let cause =
            Failure.isCancellation(error)
            ? signal.map { Failure(ExitStatus.interrupted(by: $0), "interrupted; the same command continues") } : nil
        let status = cause?.status ?? Failure(error).status
        var text = cause?.text ?? Failure(error).text
        if !dryRun {
            text +=
                "; before that \(count(counts.runs, "run")) \(counts.runs == 1 ? "was" : "were") pruned, and what was under "
                + "way is pruned run by run wholly or not at all"
        }
        return Failure(
            status, text,
            json: Result(exitStatus: status, scope: progress.scope, isDryRun: dryRun, counts: counts, error: text))
    }

    private var verb: String { dryRun ? "would be pruned" : "pruned" }
}

extension Prune {
    /// What is to be deleted: nil where nothing of the kind is.
    private struct Scope: Sendable {
        /// How old exports are at least if the call does not say.
        static let exportAge: Duration = .seconds(90 * 86_400)

        var account: ZapierAccount
        var runs: PruneScope?
        var exports: ExportPruneScope?

        init(_ options: Prune, account: ZapierAccount, at now: Date) {
            self.account = account
            runs = options.olderThan.map {
                PruneScope(olderThan: $0.duration, storedActionID: options.storedAction, account: account, at: now)
            }
            if options.storedAction == nil {
                exports = ExportPruneScope(
                    olderThan: options.exportsOlderThan?.duration ?? Self.exportAge, account: account, at: now)
            }
        }
    }

    private struct Result: Encodable, Sendable {
        var exitStatus: Int32 = 0
        var scope: Scope
        var isDryRun: Bool
        var counts: PruneCounts
        /// Nil if the prune did not come to its end.
        var kept: PruneKept?
        var error: String?

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case dryRun = "dry_run"
            case answeredBefore = "answered_before"
            case exportsEndedBefore = "exports_ended_before"
            case storedActionID = "stored_action_id"
            case account, kept, error
        }

        func encode(to encoder: any Encoder) throws {
            try counts.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(exitStatus, forKey: .exitStatus)
            try container.encode(isDryRun, forKey: .dryRun)
            try container.encode(scope.runs?.answeredBefore, forKey: .answeredBefore)
            try container.encode(scope.exports?.endedBefore, forKey: .exportsEndedBefore)
            try container.encode(scope.runs?.storedActionID?.uuidString.lowercased(), forKey: .storedActionID)
            try container.encode(scope.account.name, forKey: .account)
            try container.encode(kept, forKey: .kept)
            try container.encodeIfPresent(error, forKey: .error)
        }
    }

    private func text(_ result: Result) -> String {
        var paragraphs: [String] = []
        if result.exitStatus != 0 { paragraphs.append("interrupted; the same command continues") }
        if let runs = result.scope.runs {
            if result.counts.runs == 0 {
                paragraphs.append("nothing \(dryRun ? "would be pruned" : "was pruned") of runs \(runs.description)")
            } else {
                paragraphs.append("\(verb): \(count(result.counts.runs, "run")) \(runs.description)")
                let rows = PruneCounts.tables.map { [$0, grouped(result.counts.rows[$0] ?? 0)] }
                paragraphs.append(aligned(rows + [["bytes, about", grouped(result.counts.bytes)]], indent: "  "))
            }
        }
        if let exports = result.scope.exports, result.counts.exports > 0 || result.scope.runs == nil {
            let items = grouped(result.counts.exportItems)
            paragraphs.append(
                "\(verb): \(count(result.counts.exports, "export")) \(exports.description), with \(items) of export_items"
            )
        }
        if let kept = result.kept {
            var reasons: [String] = []
            if kept.unsettled > 0 { reasons.append("\(count(kept.unsettled, "run")) not settled yet") }
            if kept.ofOpenChains > 0 {
                reasons.append("\(count(kept.ofOpenChains, "run")) of chains that have not come to their end")
            }
            if !reasons.isEmpty { paragraphs.append("kept, though as old: " + reasons.joined(separator: ", ")) }
        }
        return paragraphs.joined(separator: "\n\n")
    }

    /// What has been done so far, for the failure message.
    private final class Progress: Sendable {
        struct Current: Sendable {
            var scope: Scope
            var counts = PruneCounts()
        }

        private let state = Mutex<Current?>(nil)

        /// Nil before it has begun.
        var current: Current? { state.withLock { $0 } }
        var hasBegun: Bool { current != nil }

        func begin(_ scope: Scope) { state.withLock { $0 = Current(scope: scope) } }
        /// Of runs, all so far.
        func set(runs counts: PruneCounts) { state.withLock { $0?.counts = counts } }
        func add(_ counts: PruneCounts) { state.withLock { $0?.counts += counts } }
    }
}

extension PruneScope {
    fileprivate var description: String { "answered before \(answeredBefore.formatted(.iso8601))" }
}

extension ExportPruneScope {
    fileprivate var description: String { "that ended before \(endedBefore.formatted(.iso8601))" }
}
