import ActionsAPI
import Foundation

@testable import ExportCore
@testable import Exporter

/// What has to hold, whatever happens.
extension World {
    // MARK: POSTs

    /// Whenever a POST leaves: its intent is there, its page is the next one, and of every POST before it is known what
    /// it started.
    mutating func checkPost(_ submission: PageFollower.Submission, of id: Int) {
        let root = submission.root
        let key = ModelDatabase.IntentKey(cursor: submission.cursor, attempt: submission.attempt)
        if let before = outstanding[root] {
            faults.append("export \(id): POST \(key) of \(root.runID) while \(before) is in doubt")
        }
        outstanding[root] = Outstanding(key: key, export: id)
        guard let chain = database.chain(root) else { return }
        if database.intent(submission.intentID, of: root)?.runID != nil
            || database.intent(submission.intentID, of: root) == nil
        {
            faults.append("export \(id): POST \(key) of \(root.runID) without its intent")
        }
        // An export that has lost its lock does not see that others take it for dead.
        if exports[id]?.hasLostLock == false {
            if chain.end != nil { faults.append("export \(id): POST \(key) for a chain with an end: \(chain)") }
            if chain.attempt?.intentID != submission.intentID {
                faults.append("export \(id): POST \(key) for a page that is not the next one: \(chain)")
            }
        }
        if let time = chain.resumeAt, time > now + 1e-6 {
            faults.append("export \(id): POST \(key) before its time")
        }
        if let unknown = api.started(root).first(where: { !database.knows($0, of: root) }) {
            faults.append("export \(id): POST \(key) while the tables do not have \(unknown)")
        }
    }

    // MARK: Suspects

    /// Whenever a run is fetched that was under way when an export died: it is alone, and behind every other run.
    mutating func checkSuspect(_ item: RunItem, of id: Int) {
        guard let export = exports[id], let items = database.exports[id]?.items else { return }
        if !export.inFlight.isEmpty {
            faults.append("export \(id): suspect \(item.key.runID) beside \(export.inFlight.count) other requests")
        }
        let early = items.filter { key, other in
            !other.isReached && database.runs[key]?.wasSuspect == false && !export.fetched.contains(key)
        }
        if !early.isEmpty { faults.append("export \(id): suspect \(item.key.runID) before \(early.count) other runs") }
        database.willAskSuspect(item.key, at: now)
    }

    /// A POST has arrived.
    mutating func checkStarts(_ submission: PageFollower.Submission) {
        let key = ModelDatabase.IntentKey(cursor: submission.cursor, attempt: submission.attempt)
        if let runs = api.lists[submission.root]?.started[key], runs.count > 1 {
            faults.append("\(key) of \(submission.root.runID) was started \(runs.count) times")
        }
    }

    /// What a person does about pages in doubt, between two plays.
    mutating func resolveDoubts() {
        for root in database.chains.keys.sorted(by: { $0.runID < $1.runID })
        where database.chains[root]?.end?.reason == .submitUnknown {
            let unknown = api.started(root).filter { !database.knows($0, of: root) }
            if unknown.count > 1 { faults.append("\(unknown.count) runs of \(root.runID) that the tables do not have") }
            if database.resolve(root, started: unknown, at: now) {
                outstanding[root] = nil
            } else {
                faults.append("nothing to resolve: \(String(describing: database.chain(root)))")
            }
        }
    }

    // MARK: Results

    /// What the tables hold is true, and nothing is there twice: whatever became of the exports so far.
    mutating func checkStored() {
        for (key, run) in database.runs {
            let isRefetched = run.storedBy.dropFirst().allSatisfy { database.exports[$0]?.refetchSince != nil }
            if run.outcome.isStored == run.storedBy.isEmpty || !isRefetched
                || Set(run.storedBy).count < run.storedBy.count
            {
                faults.append("\(key.runID) is \(run.outcome), and was stored by exports \(run.storedBy)")
            }
            guard run.page.root == nil, run.outcome.isFinal, let truth = api.runs[key]?.truth else { continue }
            let (outcome, rows) = expected(key, truth)
            if run.outcome != outcome || run.rows != rows {
                faults.append("\(key.runID) is \(run.outcome) with rows \(run.rows) instead of \(outcome) with \(rows)")
            }
        }
        for (root, chain) in database.chains {
            guard let whole = api.lists[root]?.wholeChain(maxPages: chain.maxPages) else { continue }
            let rows = database.rows(root)
            if chain.pages > whole.pages || !whole.rows.starts(with: rows) {
                faults.append("chain \(root.runID) has rows \(rows) instead of \(whole.rows)")
            }
            if chain.end?.reason == whole.end, chain.pages != whole.pages || rows != whole.rows {
                faults.append("chain \(root.runID) ended \(whole.end) after \(chain.pages) of \(whole.pages) pages")
            }
        }
    }

    /// Whether nothing is left that an export, or a person, could do.
    var isComplete: Bool {
        database.runs.allSatisfy { key, run in
            run.page.root != nil || api.runs[key].map { run.outcome == expected(key, $0.truth).outcome } ?? true
        }
            && database.chains.allSatisfy { root, chain in
                chain.end?.reason == api.lists[root]?.wholeChain(maxPages: chain.maxPages).end
            }
    }

    /// What is left, for people.
    var left: String {
        let runs = database.runs.filter { $1.page.root == nil }
            .filter { key, run in api.runs[key].map { run.outcome != expected(key, $0.truth).outcome } ?? false }
        return
            "\(runs.map { "\($0.key.runID) \($0.value.outcome)" }) \(database.chains.values.filter { $0.end == nil })"
    }

    private func expected(_ key: RunKey, _ truth: WorldAPI.Truth) -> (outcome: Outcome, rows: [Int]) {
        switch truth {
        case .success(let rows): (.success, Array(0..<rows))
        case .partnerError: (.error, [])
        case .forbidden: (.forbidden, [])
        case .rejected: (.rejected, [])
        case .notFound: (database.runs[key].map { $0.expiresAt <= Self.start } == true ? .expired : .notFound, [])
        case .root: (.success, api.lists[key]?.pages.first?.rows ?? [])
        }
    }

    // MARK: Windows

    /// No window was asked for more than the exports' share of it; what an export cannot know is allowed for.
    mutating func checkWindows() {
        for (isReads, count) in api.takeWindows() {
            guard let most = (isReads ? api.reads : api.starts)?.allowance(count) else { continue }
            if count.used > most {
                let what = isReads ? "reads" : "starts"
                faults.append("\(count.used) \(what) instead of \(most) in the window from \(count.begin): \(count)")
            }
        }
    }
}
