/// Runs whose answers, or lack of answers, may be the fault of the credentials or the API. Each is held until that is
/// known, and is then settled or left in the queue.
struct HeldRuns: Sendable {
    /// With so many runs that end without an answer, the fault is not the runs'.
    static let silentRuns = 3

    /// Answered with 403, while every answer has been 403.
    private var forbidden: [FetchedRun] = []
    /// Without an answer, while the API has never answered.
    private var silent: [FetchedRun] = []

    var isEmpty: Bool { forbidden.isEmpty && silent.isEmpty }

    mutating func hold(forbidden run: FetchedRun) { forbidden.append(run) }

    /// - Returns: whether the API, not the runs, is at fault.
    mutating func hold(silent run: FetchedRun) -> Bool {
        silent.append(run)
        return silent.count == Self.silentRuns
    }

    mutating func takeForbidden() -> [FetchedRun] {
        defer { forbidden = [] }
        return forbidden
    }

    mutating func takeSilent() -> [FetchedRun] {
        defer { silent = [] }
        return silent
    }
}
