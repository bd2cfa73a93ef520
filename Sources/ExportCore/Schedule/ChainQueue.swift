import ActionsAPI
import DequeModule
import Foundation
import HeapModule

/// What chains of pages want asked: each bucket's requests in the order of their turn, and those that wait for a time.
///
/// A chain that has begun goes before one that has not, so that few are under way at a time and a cursor grows old in
/// none of them.
struct ChainQueue: Sendable {
    enum Request: Sendable, Equatable {
        /// GET: what a stored action is.
        case lookUp(UUID)
        /// GET: a page's run.
        case fetch(RunItem)
        /// POST: the next page of that chain.
        case post(RunKey)
        /// No request: the database is asked again.
        case lookAgain(RunKey)
    }

    private struct Lane: Sendable {
        var begun: Deque<Request> = []
        var new: Deque<Request> = []

        var first: Request? { begun.first ?? new.first }
        mutating func removeFirst() -> Request? { begun.popFirst() ?? new.popFirst() }
    }

    private struct Timed: Comparable, Sendable {
        var at: Date
        var request: Request

        static func < (a: Timed, b: Timed) -> Bool { a.at < b.at }
    }

    /// Chains in memory, each with its follower.
    var followed = 0
    /// Steps of chains that the database is at.
    var writes = 0

    private var gets = Lane()
    private var posts = Lane()
    private var later = Heap<Timed>()
    /// Waits for something that this export does not do: the partner, a page to finish, another export.
    private var waits = Heap<Timed>()

    /// Chains in such a wait.
    var waiting: Int { waits.count }
    /// Chains in memory that are not in such a wait.
    var atWork: Int { followed - waiting }
    var nextGet: Request? { gets.first }
    var nextPost: Request? { posts.first }
    /// Something is ready, or will be at a known time.
    var hasWork: Bool { nextGet != nil || nextPost != nil || !later.isEmpty }
    var nextWait: Date? { waits.min?.at }
    var nextDue: Date? { later.min?.at }

    /// - Parameters:
    ///   - time: not before then.
    ///   - isWait: what is waited for is not this export's work: `--max-wait` bounds it.
    ///   - isNew: the first request of a chain.
    mutating func add(_ request: Request, at time: Date? = nil, isWait: Bool = false, isNew: Bool = false) {
        if let time {
            let timed = Timed(at: time, request: request)
            if isWait { waits.insert(timed) } else { later.insert(timed) }
            return
        }
        switch request {
        case .lookUp, .fetch, .lookAgain: if isNew { gets.new.append(request) } else { gets.begun.append(request) }
        case .post: if isNew { posts.new.append(request) } else { posts.begun.append(request) }
        }
    }

    mutating func makeReady(at now: Date, mayWait: Bool) {
        while let first = later.min, first.at <= now { add(later.removeMin().request) }
        while mayWait, let first = waits.min, first.at <= now { add(waits.removeMin().request) }
    }

    mutating func removeGet() -> Request? { gets.removeFirst() }
    mutating func removePost() -> Request? { posts.removeFirst() }

    /// Takes out every request for a page that is ready.
    mutating func removePosts() -> [RunKey] {
        var roots: [RunKey] = []
        while case .post(let root)? = posts.removeFirst() { roots.append(root) }
        return roots
    }
}
