import ActionsAPI
import Foundation
import HTTPTypes
import Support

@testable import ExportCore
@testable import Exporter

/// An Actions API in memory that any number of exports ask: runs, chains of pages, stored actions, rate windows.
struct WorldAPI {
    enum Request {
        case run(RunKey)
        case lookUp(UUID)
        case page(PageFollower.Submission)

        var isPage: Bool { if case .page = self { true } else { false } }
    }

    /// What an export gets in answer.
    enum Wire {
        case answer(APIResponse)
        /// No connection was made.
        case notConnected
        /// The connection broke, or the time was over.
        case lost(TransportError.Kind)
        /// There is no token to ask with.
        case noToken(TokenError.Kind)
    }

    /// What a run is in truth.
    enum Truth: Hashable {
        case success(rows: Int)
        case partnerError, notFound, forbidden, rejected
        /// Page 0 of a chain.
        case root
    }

    struct Run {
        var truth: Truth
        /// It is not finished before then.
        var readyAt = Date.distantPast
    }

    /// What happens instead of an answer.
    enum Trouble {
        /// Nothing is done; the body is the API's own error.
        case status(Int, code: String = "trouble", retryAfter: Int? = nil)
        /// A page of something before the API.
        case page(Int)
        /// A 200 with an error of the API's own.
        case quoted(Int)
        /// The connection breaks before the server acts.
        case lostBefore
        /// The server acts, and the answer is lost.
        case lostAfter
        /// The server acts, and answers 500 all the same.
        case failedAfter
        /// No answer until the time is over.
        case silence
        case notConnected
        case noToken(TokenError.Kind)
        /// The POST is answered with the chain's own root.
        case oldRun
    }

    var runs: [RunKey: Run] = [:]
    /// The lists behind bulk reads, by the roots of their chains.
    var lists: [RunKey: ModelAPI] = [:]
    /// What look-ups answer; nil: a stored action that the token does not see.
    var actionTypes: [UUID: String?] = [:]
    /// Decides about the n-th request for the same thing, from 1.
    var trouble: (Request, Int, Date) -> Trouble? = { _, _, _ in nil }
    /// nil: no limit.
    var reads: RateWindowModel?
    var starts: RateWindowModel?
    /// Seconds that a run which was just started is not there yet.
    var birth: TimeInterval = 0

    private(set) var requests = 0
    private(set) var posts = 0
    /// Windows that are over, or were changed last.
    private(set) var spent: [(isReads: Bool, count: RateWindowModel.Count)] = []
    private var asked: [AskedFor: Int] = [:]
    private var bornAt: [UUID: (at: Date, root: RunKey)] = [:]

    private enum AskedFor: Hashable { case run(RunKey), lookUp(UUID), page(RunKey) }

    func timesAsked(_ key: RunKey) -> Int { asked[.run(key), default: 0] }
    func timesLookedUp(_ action: UUID) -> Int { asked[.lookUp(action), default: 0] }
    func timesPosted(_ root: RunKey) -> Int { asked[.page(root), default: 0] }

    /// Runs that POSTs of the chain have started.
    func started(_ root: RunKey) -> [UUID] { lists[root].map { Array($0.started.values.joined()) } ?? [] }

    // MARK: Requests

    /// A request arrives.
    mutating func answer(_ request: Request, at now: Date, random: inout SplitMix) -> Wire {
        let count = count(request)
        let trouble = trouble(request, count, now)
        switch trouble {
        case .notConnected: return .notConnected
        case .noToken(let kind): return .noToken(kind)
        default: break
        }
        requests += 1
        if request.isPage { posts += 1 }
        guard admit(request, at: now) else { return respond(request, 429, Self.error("throttled")) }
        switch trouble {
        case nil: return act(request, at: now, random: &random)
        case .status(let status, let code, let retryAfter):
            if status == 403 { countBlind(request) }
            return respond(request, status, Self.error(code), retryAfter: retryAfter)
        case .page(let status):
            countBlind(request)
            let headers: HTTPFields = [.contentType: "text/html"]
            return .answer(APIResponse(status: status, headers: headers, body: Array("<html>Blocked</html>".utf8)))
        case .quoted(let status):
            return respond(
                request, 200, #"{"errors": [{"status": \#(status), "code": "trouble", "title": "x"}]}"#)
        case .lostBefore:
            countBlind(request)
            return .lost(.connectionLost)
        case .lostAfter:
            countBlind(request)
            _ = act(request, at: now, random: &random)
            return .lost(.connectionLost)
        case .failedAfter:
            _ = act(request, at: now, random: &random)
            return respond(request, 500, Self.error("internal"))
        case .silence:
            countBlind(request)
            return .lost(.timedOut)
        case .oldRun:
            guard case .page(let submission) = request else { return act(request, at: now, random: &random) }
            return respond(request, 201, Self.started(submission.root.runID))
        case .notConnected: return .notConnected
        case .noToken(let kind): return .noToken(kind)
        }
    }

    private mutating func count(_ request: Request) -> Int {
        let key: AskedFor =
            switch request {
            case .run(let key): .run(key)
            case .lookUp(let action): .lookUp(action)
            case .page(let submission): .page(submission.root)
            }
        asked[key, default: 0] += 1
        return asked[key, default: 0]
    }

    private mutating func act(_ request: Request, at now: Date, random: inout SplitMix) -> Wire {
        switch request {
        case .run(let key): return read(key, at: now)
        case .lookUp(let action):
            guard case let type?? = actionTypes[action] else { return respond(request, 404, Self.error("not_found")) }
            return respond(request, 200, #"{"data": {"type": "stored_action", "action_type": "\#(type)"}}"#)
        case .page(let submission):
            guard let runID = lists[submission.root]?.start(submission, random: &random) else {
                return respond(request, 404, Self.error("not_found"))
            }
            bornAt[runID] = (now + birth, submission.root)
            return respond(request, 201, Self.started(runID))
        }
    }

    private mutating func read(_ key: RunKey, at now: Date) -> Wire {
        let request = Request.run(key)
        if let (time, root) = bornAt[key.runID] {
            guard now >= time else { return respond(request, 404, Self.error("not_found")) }
            switch lists[root]?.answer(key.runID) {
            case .success(let page)?: return respond(request, 200, Self.result(page.rows, cursor: page.cursor))
            case .error(let delay)?: return respond(request, 200, Self.partnerError(throttledFor: delay))
            case .pending?: return respond(request, 202, "")
            case .gone?, nil: return respond(request, 404, Self.error("not_found"))
            }
        }
        guard let run = runs[key] else { return respond(request, 404, Self.error("not_found")) }
        if now < run.readyAt {
            // Both kinds of unfinished, by chance of the run's ID.
            return key.runID.uuid.15 % 2 == 0
                ? respond(request, 202, "") : respond(request, 200, #"{"status": "waiting"}"#)
        }
        switch run.truth {
        case .success(let rows): return respond(request, 200, Self.result(Array(0..<rows), cursor: nil))
        case .partnerError: return respond(request, 200, Self.partnerError(throttledFor: nil))
        case .notFound: return respond(request, 404, Self.error("not_found"))
        case .rejected: return respond(request, 422, Self.error("invalid"))
        case .forbidden:
            countBlind(request)
            return respond(request, 403, Self.error("permission_denied"))
        case .root:
            guard let page = lists[key]?.pages.first else { return respond(request, 404, Self.error("not_found")) }
            return respond(request, 200, Self.result(page.rows, cursor: page.cursor))
        }
    }

    // MARK: Windows

    private mutating func admit(_ request: Request, at now: Date) -> Bool {
        let isReads = !request.isPage
        guard let (isAdmitted, ended) = isReads ? reads?.admit(at: now) : starts?.admit(at: now) else { return true }
        if let ended { spent.append((isReads, ended)) }
        return isAdmitted
    }

    private mutating func countBlind(_ request: Request) {
        if request.isPage { starts?.countBlind() } else { reads?.countBlind() }
    }

    mutating func begins(at now: Date, share: Double, unseen: Int) {
        reads?.begins(at: now, share: share, unseen: unseen)
        starts?.begins(at: now, share: share, unseen: unseen)
    }

    mutating func rest() {
        reads?.rest()
        starts?.rest()
    }

    /// Takes the windows that have been seen since the last time, the open ones included.
    mutating func takeWindows() -> [(isReads: Bool, count: RateWindowModel.Count)] {
        defer { spent = [] }
        return spent + (reads.map { [(true, $0.count)] } ?? []) + (starts.map { [(false, $0.count)] } ?? [])
    }

    // MARK: Answers

    private func respond(_ request: Request, _ status: Int, _ body: String, retryAfter: Int? = nil) -> Wire {
        var headers: HTTPFields = [:]
        if let window = request.isPage ? starts : reads {
            headers = [
                .xRateLimitLimit: "\(window.limit)", .xRateLimitRemaining: "\(window.remaining)",
                .xRateLimitReset: "\(window.end.timeIntervalSince1970)",
            ]
        }
        if let retryAfter { headers[.retryAfter] = "\(retryAfter)" }
        return .answer(APIResponse(status: status, headers: headers, body: Array(body.utf8)))
    }

    private static func error(_ code: String) -> String { #"{"errors": [{"code": "\#(code)", "detail": "no"}]}"# }

    private static func started(_ runID: UUID) -> String { #"{"data": {"type": "run", "id": "\#(runID)"}}"# }

    private static func result(_ rows: [Int], cursor: String?) -> String {
        let rows = rows.map { #"{"n": \#($0)}"# }.joined(separator: ",")
        let cursor = cursor.map { #", "next_page": "\#($0)""# } ?? ""
        return #"{"status": "success", "results": [\#(rows)], "errors": []\#(cursor)}"#
    }

    private static func partnerError(throttledFor delay: Duration?) -> String {
        guard let delay else { return #"{"status": "error", "errors": [{"code": "x"}]}"# }
        return #"{"status": "error", "errors": [{"code": "throttled", "delay": \#(delay.components.seconds)}]}"#
    }
}
