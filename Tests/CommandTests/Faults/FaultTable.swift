import Synchronization

/// What the faults did, added up by their names.
final class FaultTable: Sendable {
    struct Count: Sendable {
        var tried = 0
        var lost = 0
        var doubled = 0
        var fetchedAgain = 0
    }

    private let names: [String]
    private let counts = Mutex<[String: Count]>([:])
    private let pending: Mutex<Int>

    init(of faults: [Fault]) {
        names = faults.map(\.name).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        pending = Mutex(faults.count)
    }

    func add(_ count: Count, to name: String) {
        counts.withLock { counts in
            counts[name, default: Count()].tried += count.tried
            counts[name, default: Count()].lost += count.lost
            counts[name, default: Count()].doubled += count.doubled
            counts[name, default: Count()].fetchedAgain += count.fetchedAgain
        }
    }

    /// - Returns: whether it was the last of them.
    func ended() -> Bool {
        pending.withLock { pending in
            pending -= 1
            return pending == 0
        }
    }

    var text: String {
        let counts = counts.withLock(\.self)
        let width = names.map(\.count).max() ?? 0
        let lines = names.map { name in
            let count = counts[name, default: Count()]
            return line(name, width, [count.tried, count.lost, count.doubled, count.fetchedAgain].map(String.init))
        }
        let head = line("fault", width, ["tried", "rows lost", "rows doubled", "settled runs fetched again"])
        return ([head] + lines).joined(separator: "\n")
    }

    private func line(_ name: String, _ width: Int, _ values: [String]) -> String {
        let cells = zip(values, [5, 9, 12, 26]).map { value, width in
            String(repeating: " ", count: max(0, width - value.count)) + value
        }
        return name + String(repeating: " ", count: width - name.count) + "  " + cells.joined(separator: "  ")
    }
}
