/// What of an export's work waits in its work list: the scheduler takes it from there a batch at a time, so that memory
/// does not grow with the export. An item is in the work list or in memory, never in both.
struct Backlog: Sendable {
    /// The queues of which the work list has items.
    private var filled: Set<WorkQueue>
    private var reading: Set<WorkQueue> = []
    /// Queues that got items while a batch was being read, which may have missed them.
    private var missed: Set<WorkQueue> = []
    private var opening: Opening
    /// A stored page that was to be fetched again was released.
    private(set) var hasReleasedPages = false

    /// Runs that may still be asked for before the next step is open.
    private var allowance = Backlog.allowanceOfStep

    private enum Opening { case isDue, isUnderWay, isDone }

    /// While an export is opened, which takes seconds for a million runs, it asks for few hundred runs a second at most:
    /// both want the same processors, and what expires first is known only afterwards.
    static let allowanceOfStep = 64

    /// - Parameters:
    ///   - filled: the queues that have items.
    ///   - isOpening: further steps of opening the export follow.
    init(filled: Set<WorkQueue>, isOpening: Bool) {
        self.filled = filled
        opening = isOpening ? .isDue : .isDone
    }

    // MARK: Queues

    var isReading: Bool { !reading.isEmpty }

    func isReading(_ queue: WorkQueue) -> Bool { reading.contains(queue) }

    /// Whether the work list has items of the queue.
    func holds(_ queue: WorkQueue) -> Bool { filled.contains(queue) }

    /// Whether no more items of the queue come from the work list. The steps that are still to be opened may bring
    /// items of any queue but `polls`.
    func isExhausted(_ queue: WorkQueue) -> Bool { !holds(queue) && (queue == .polls || !isOpening) }

    /// - Parameters:
    ///   - count: of the queue's items in memory.
    ///   - least: in memory, below which more are wanted.
    func wants(_ queue: WorkQueue, have count: Int, least: Int) -> Bool {
        count <= least && holds(queue) && !isReading(queue)
    }

    mutating func read(_ queue: WorkQueue) { reading.insert(queue) }

    /// - Parameters:
    ///   - count: of the items that were read.
    ///   - limit: of those that were asked for.
    mutating func hasRead(_ queue: WorkQueue, count: Int, limit: Int) {
        reading.remove(queue)
        if count < limit, missed.remove(queue) == nil { filled.remove(queue) }
    }

    /// The work list gets items.
    mutating func fill(_ queues: Set<WorkQueue>) {
        filled.formUnion(queues)
        missed.formUnion(queues.intersection(reading))
    }

    /// The item is not asked for again in this export.
    mutating func release(_ item: RunItem) {
        if item.page?.isRefetch == true { hasReleasedPages = true }
    }

    // MARK: Opening the export

    /// Steps are left, or one is under way.
    var isOpening: Bool { opening != .isDone }
    var isOpeningStep: Bool { opening == .isUnderWay }

    /// - Returns: whether the next step is to be opened now.
    mutating func open() -> Bool {
        guard opening == .isDue else { return false }
        opening = .isUnderWay
        return true
    }

    var mayAsk: Bool { !isOpening || allowance > 0 }

    mutating func asked() {
        if isOpening { allowance -= 1 }
    }

    mutating func opened(_ step: OpenedStep) {
        opening = step.isLast ? .isDone : .isDue
        allowance = Self.allowanceOfStep
        fill(step.filled)
    }

    // MARK: The end

    /// The database is lost: nothing waits for it.
    mutating func abandon() {
        reading = []
        opening = .isDone
    }
}
