import DequeModule

/// Who may hold how many bytes of bodies. Decides; `BodyRoom` waits.
///
/// Bodies grow as they arrive, and their final size is unknown. Were each to hold what it has and wait for more, all
/// could wait for each other forever. So one body at a time, the first in line, may exceed the capacity; the others
/// wait until it has been stored. What is held never exceeds the capacity and the limit of one body together.
struct ByteBudget: Sendable {
    typealias Holder = UInt64

    enum Answer: Equatable { case granted, wait }

    let capacity: Int
    private(set) var used = 0
    private var held: [Holder: Int] = [:]
    private var overflowing: Holder?
    private var waiting: Deque<(holder: Holder, bytes: Int)> = []

    init(capacity: Int) { self.capacity = capacity }

    /// `.wait`: the request is in line, and a later `release` or `withdraw` names the holder when it is granted.
    mutating func reserve(_ bytes: Int, for holder: Holder) -> Answer {
        if reserveAtOnce(bytes, for: holder) { return .granted }
        waiting.append((holder, bytes))
        return .wait
    }

    /// - Returns: false, with nothing changed, if the request would have to wait.
    mutating func reserveAtOnce(_ bytes: Int, for holder: Holder) -> Bool {
        guard overflowing == holder || (waiting.isEmpty && mayGrant(bytes, to: holder)) else { return false }
        grant(bytes, to: holder)
        return true
    }

    /// Gives back all that the holder has. Returns those in line whose turn has come.
    mutating func release(_ holder: Holder) -> [Holder] {
        used -= held.removeValue(forKey: holder) ?? 0
        if overflowing == holder { overflowing = nil }
        return grantWaiting()
    }

    /// Takes a waiting request out of the line. Returns those whose turn has come by that.
    mutating func withdraw(_ holder: Holder) -> [Holder] {
        waiting.removeAll { $0.holder == holder }
        return grantWaiting()
    }

    private mutating func grantWaiting() -> [Holder] {
        var granted: [Holder] = []
        while let first = waiting.first, mayGrant(first.bytes, to: first.holder) {
            waiting.removeFirst()
            grant(first.bytes, to: first.holder)
            granted.append(first.holder)
        }
        return granted
    }

    private func mayGrant(_ bytes: Int, to holder: Holder) -> Bool {
        used + bytes <= capacity || overflowing == nil || overflowing == holder
    }

    private mutating func grant(_ bytes: Int, to holder: Holder) {
        used += bytes
        held[holder, default: 0] += bytes
        if used > capacity, overflowing == nil { overflowing = holder }
    }
}
