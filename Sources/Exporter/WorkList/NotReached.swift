import ExportCore

/// What an export has not come to by its end, read from its work list without changing that.
struct NotReached: Sendable {
    /// The manifests' runs from a position on.
    struct Unopened: Sendable {
        var manifests: Manifests
        var position: Int
    }

    fileprivate(set) var inHand: [RunKey]
    fileprivate(set) var queues: [SpillQueue]
    let unopened: Unopened?
    /// The roots whose chains may have got an end since they were opened.
    fileprivate(set) var chainRoots: SpillQueue

    init(inHand: [RunKey], queues: [SpillQueue], unopened: Unopened?, chainRoots: SpillQueue) {
        self.inHand = inHand
        self.queues = queues
        self.unopened = unopened
        self.chainRoots = chainRoots
    }

    /// Items that were opened.
    var openedCount: Int { inHand.count + queues.reduce(0) { $0 + $1.count } }

    /// - Throws: what `body` throws, and `SpoolError`.
    func forEachRun(_ body: (RunKey) throws -> Void) throws {
        for key in inHand { try body(key) }
        for queue in queues { try queue.forEach(body) }
        if let unopened {
            _ = try unopened.manifests.forEachRun(from: unopened.position, limit: .max) { run, _ in try body(run.key) }
        }
    }

    func forEachChainRoot(_ body: (RunKey) throws -> Void) throws { try chainRoots.forEach(body) }

    /// So many keys are compared with the database's at a time.
    private static let batchSize = 10_000

    func forEachBatchOfRuns(_ body: ([RunKey]) throws -> Void) throws {
        var batch: [RunKey] = []
        try forEachRun { try Self.add($0, to: &batch, body) }
        if !batch.isEmpty { try body(batch) }
    }

    func forEachBatchOfRoots(_ body: ([RunKey]) throws -> Void) throws {
        var batch: [RunKey] = []
        try forEachChainRoot { try Self.add($0, to: &batch, body) }
        if !batch.isEmpty { try body(batch) }
    }

    private static func add(
        _ key: RunKey, to batch: inout [RunKey], _ body: ([RunKey]) throws -> Void
    ) throws {
        batch.append(key)
        guard batch.count == batchSize else { return }
        try body(batch)
        batch = []
    }
}

extension SpillQueue {
    fileprivate func forEach(_ body: (RunKey) throws -> Void) throws {
        var rest = self
        while let entry = try rest.popFirst() { try body(entry.item.key) }
    }
}
