import Foundation

/// How an export comes to its end: why, and when requests that are still out are cut short.
struct Shutdown: Sendable {
    enum Cut: Equatable { case reads, posts }

    /// Seconds that requests in flight may go on after the export was asked to end.
    private static let grace: TimeInterval = 1.5
    /// Seconds after that in which the answer to a POST may still come: without it an operator has to look for its run.
    private static let postGrace: TimeInterval = 1.7

    let deadline: Date?
    private(set) var ending: Ending?
    /// What the database could not do.
    private(set) var failure: (any Error)?
    /// When reads are cut short.
    private var cutsAt: Date?
    private var cuts: [Cut] = []

    init(deadline: Date?) { self.deadline = deadline }

    var isUnderWay: Bool { ending != nil || failure != nil }

    /// The first reason stops the export; a graver one that comes up while it ends takes its place.
    ///
    /// - Returns: whether this is the reason now.
    mutating func end(_ reason: Ending, at now: Date) -> Bool {
        if let ending, ending.rank <= reason.rank { return false }
        ending = reason
        cutsAt = cutsAt ?? now + Self.grace
        return true
    }

    /// The database is lost.
    mutating func fail(_ error: any Error, at now: Date) {
        failure = failure ?? error
        cutsAt = cutsAt ?? now + Self.grace
    }

    /// What is to be cut short now; each once.
    mutating func takeCuts(at now: Date) -> [Cut] {
        let due = times.filter { $0.at <= now && !cuts.contains($0.cut) }.map(\.cut)
        cuts += due
        return due
    }

    /// When something is to be done next for the sake of the end.
    func wakes(after now: Date) -> Date? { (times.map(\.at) + [deadline].compactMap(\.self)).filter { $0 > now }.min() }

    private var times: [(cut: Cut, at: Date)] {
        cutsAt.map { [(.reads, $0), (.posts, $0 + Self.postGrace)] } ?? []
    }
}
