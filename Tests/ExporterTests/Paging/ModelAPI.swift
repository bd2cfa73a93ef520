import Foundation
import Support

@testable import ExportCore
@testable import Exporter

/// An API with one list of pages behind a bulk read. It starts a run for every request that reaches it, and keeps
/// count.
struct ModelAPI {
    struct Page {
        var rows: [Int]
        var cursor: String?
    }

    /// What becomes of a run.
    enum Fate: CaseIterable { case success, throttled, error, expired }

    enum Answer {
        case pending, gone
        case success(Page)
        case error(throttledFor: Duration?)
    }

    struct Run {
        var page: Int
        var polls: Int
        var fate: Fate
    }

    let pages: [Page]
    /// What becomes of the run that a request starts, and how often it is found unfinished before; nil: chance decides.
    var plan: ((PageFollower.Submission) -> (fate: Fate, polls: Int))?
    /// How long a partner that throttles a page wants to be left alone.
    var throttledFor: Duration = .seconds(30)
    private let places: [String: Int]
    private var runs: [UUID: Run] = [:]
    /// The runs that each request started. The real API knows nothing of attempts: the number is for the count alone.
    private(set) var started: [ModelDatabase.IntentKey: [UUID]] = [:]

    /// - Parameter pages: page 0 is the root; page n is had with the cursor `cursors[n]`.
    init(pages: [Page], cursors: [String]) {
        self.pages = pages
        places = Dictionary(zip(cursors, pages.indices), uniquingKeysWith: { first, _ in first })
    }

    /// A list that ends, runs in a circle, has no rows from some page on, or is longer than any chain.
    static func random(_ random: inout SplitMix, length: Int) -> ModelAPI {
        let isOpaque = random.happens(0.5)
        let cursors = (0..<length).map { $0 == 0 || !isOpaque ? "\($0)" : "cursor-\(random.next())" }
        var pages = (0..<length).map { page in
            Page(
                rows: (0..<Int.random(in: 0...3, using: &random)).map { page * 10 + $0 },
                cursor: page + 1 < length ? cursors[page + 1] : nil)
        }
        switch random.unit() {
        case ..<0.25: pages[length - 1].cursor = cursors[Int.random(in: 0..<length, using: &random)]
        case ..<0.5: for page in length / 2..<length { pages[page].rows = [] }
        default: break
        }
        return ModelAPI(pages: pages, cursors: cursors)
    }

    /// What a reader gets that nothing ever happens to.
    func wholeChain(maxPages: Int) -> (rows: [Int], pages: Int, end: EndReason) {
        var (rows, count, empty, place) = ([Int](), 0, 0, 0)
        var seen: Set<String> = [ModelDatabase.firstPage]
        while true {
            let page = pages[place]
            rows += page.rows
            count += 1
            empty = page.rows.isEmpty ? empty + 1 : 0
            guard let cursor = page.cursor else { return (rows, count, .lastPage) }
            if empty == 2 { return (rows, count, .emptyPages) }
            guard seen.insert(cursor).inserted, let next = places[cursor] else { return (rows, count, .repeatedCursor) }
            if count == maxPages { return (rows, count, .maxPages) }
            place = next
        }
    }

    mutating func start(_ submission: PageFollower.Submission, random: inout SplitMix) -> UUID {
        let id = random.uuid()
        let (fate, polls) = plan?(submission) ?? Self.course(&random)
        runs[id] = Run(page: places[submission.cursor] ?? 0, polls: polls, fate: fate)
        started[ModelDatabase.IntentKey(cursor: submission.cursor, attempt: submission.attempt), default: []]
            .append(id)
        return id
    }

    private static func course(_ random: inout SplitMix) -> (fate: Fate, polls: Int) {
        let fate: Fate =
            switch random.unit() {
            case ..<0.85: .success
            case ..<0.95: .throttled
            case ..<0.98: .error
            default: .expired
            }
        return (fate, Int.random(in: 0...2, using: &random))
    }

    mutating func answer(_ runID: UUID) -> Answer {
        guard let run = runs[runID] else { return .gone }
        guard run.polls == 0 else {
            runs[runID]?.polls -= 1
            return .pending
        }
        return switch run.fate {
        case .success: .success(pages[run.page])
        case .throttled: .error(throttledFor: throttledFor)
        case .error: .error(throttledFor: nil)
        case .expired: .gone
        }
    }
}
