/// Which of the manifests' next runs are settled, so that steps pass over them.
struct SettledWindow: Sendable {
    private var isSettled: [Bool] = []
    /// Of the runs whose settlement is looked up, their places in the window.
    private var lookedUp: [Int] = []
    private var passed = 0
    private var unsettledCount = 0
    /// Where the manifests go on behind the window; nil at their end.
    var end: Int?

    /// Runs that no step has passed yet.
    var count: Int { isSettled.count - passed }
    var isEmpty: Bool { count == 0 }
    var isAllSettled: Bool { !isEmpty && unsettledCount == 0 }

    /// - Parameter isSettled: false for a run that a step has to look at, whatever its outcome.
    mutating func append(isSettled: Bool) {
        if isSettled { lookedUp.append(self.isSettled.count) } else { unsettledCount += 1 }
        self.isSettled.append(isSettled)
    }

    /// - Parameter indexes: among the runs whose settlement was looked up, of those that are not settled.
    mutating func keep(_ indexes: [Int]) {
        for index in indexes where isSettled[lookedUp[index]] {
            isSettled[lookedUp[index]] = false
            unsettledCount += 1
        }
        lookedUp = []
    }

    /// The runs of a step without those that are settled. Without a window it returns all of them.
    mutating func pass<Run>(_ runs: [Run]) -> [Run] {
        if isAllSettled { passed = isSettled.count }
        guard !isEmpty else { return runs }
        defer { passed += runs.count }
        return runs.enumerated().filter { !isSettled[passed + $0.offset] }.map(\.element)
    }
}
