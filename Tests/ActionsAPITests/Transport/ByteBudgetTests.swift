import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("The memory that bodies share")
struct ByteBudgetTests {
    @Test("Is granted while it lasts, and given back as a whole")
    func grants() {
        var budget = ByteBudget(capacity: 100)
        #expect(budget.reserve(60, for: 1) == .granted)
        #expect(budget.reserve(40, for: 2) == .granted)
        #expect(budget.used == 100)
        #expect(budget.release(1) == [])
        #expect(budget.used == 40)
    }

    @Test("One body at a time grows past it, the others wait for their turn")
    func overflow() {
        var budget = ByteBudget(capacity: 100)
        #expect(budget.reserve(60, for: 1) == .granted)
        #expect(budget.reserve(60, for: 2) == .granted)  // The one past the capacity.
        #expect(budget.reserve(500, for: 2) == .granted)
        #expect(budget.reserve(1, for: 1) == .wait)
        #expect(budget.reserve(1, for: 3) == .wait)
        #expect(budget.release(2) == [1, 3])
        #expect(budget.used == 62)
    }

    @Test("Bodies that all want more never wait for each other in a circle")
    func progress() {
        var budget = ByteBudget(capacity: 100)
        var sizes: [UInt64: Int] = [:]
        var running = Array(1...10 as ClosedRange<UInt64>), waiting: Set<UInt64> = [], finished = 0
        while let holder = running.popLast() {
            switch budget.reserve(30, for: holder) {
            case .granted:
                sizes[holder, default: 0] += 30
                if sizes[holder] == 300 {
                    finished += 1
                    let granted = budget.release(holder)
                    for next in granted { sizes[next, default: 0] += 30 }
                    waiting.subtract(granted)
                    running.append(contentsOf: granted)
                } else {
                    running.insert(holder, at: 0)
                }
            case .wait: waiting.insert(holder)
            }
            #expect(budget.used <= 100 + 300)
        }
        #expect(waiting.isEmpty)
        #expect(finished == 10)
        #expect(budget.used == 0)
    }

    @Test("Who leaves the line lets the next one in")
    func withdraw() {
        var budget = ByteBudget(capacity: 100)
        #expect(budget.reserve(90, for: 1) == .granted)
        #expect(budget.reserve(50, for: 2) == .granted)
        #expect(budget.reserve(200, for: 3) == .wait)
        #expect(budget.reserve(5, for: 4) == .wait)
        #expect(budget.release(1) == [])
        #expect(budget.withdraw(3) == [4])
    }

    @Test("A cancelled wait throws and leaves nothing held")
    func cancelled() async throws {
        let room = BodyRoom(capacity: 10)
        let first = room.lease(), second = room.lease()
        try await first.grow(by: 20)
        let waiting = Task { try await second.grow(by: 1) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        let third = room.lease()
        let other = Task { try await third.grow(by: 5) }
        withExtendedLifetime(first) {}
        _ = consume first
        try await other.value
    }
}
