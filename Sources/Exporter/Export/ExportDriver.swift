import ActionsAPI
import ExportCore
import Foundation
import Logging

/// Performs what an `ExportMachine` decides, and feeds back what comes of it. It decides nothing.
///
/// It runs where requests do, on the network's thread; the database's work, which computes for longer, does not.
final class ExportDriver: Sendable {
    let requests: Requests
    let ledger: Ledger
    let opening: ExportOpening
    let list: WorkList
    let loader: LoaderLanes
    let intents: IntentLog
    let clock: SteadyClock
    let board: ProgressBoard
    let logger: Logger

    init(
        requests: Requests, ledger: Ledger, opening: ExportOpening, list: WorkList, loader: LoaderLanes,
        intents: IntentLog, clock: SteadyClock, board: ProgressBoard, logger: Logger
    ) {
        self.requests = requests
        self.ledger = ledger
        self.opening = opening
        self.list = list
        self.loader = loader
        self.intents = intents
        self.clock = clock
        self.board = board
        self.logger = logger
    }

    /// Runs the export to its end.
    ///
    /// - Parameter signals: numbers of signals that ask the export to end.
    /// - Throws: `PostgresError` when the database could not be reached any more. What was committed stays.
    func run(_ machine: inout ExportMachine, signals: AsyncStream<Int32>) async throws -> Ending {
        let (events, mailbox) = AsyncStream<ExportMachine.Event>.makeStream()
        let listener = Task {
            for await signal in signals { mailbox.yield(.interrupted(signal: signal)) }
        }
        defer { listener.cancel() }
        // Groups of their own, so that requests can be cut short, POSTs last, while what they brought is still stored.
        await withDiscardingTaskGroup { reads in
            await withDiscardingTaskGroup { posts in
                await withDiscardingTaskGroup { stores in
                    var alarm = Alarm()
                    var events = events.makeAsyncIterator()
                    var effects = machine.begin(at: clock.now)
                    while true {
                        var isFinished = false
                        for effect in effects {
                            switch effect {
                            case .fetch(let item): reads.addTask { [self] in await fetch(item, mailbox) }
                            case .lookUp(let action):
                                reads.addTask { [self] in
                                    let reply = await requests.lookUp(action) {
                                        mailbox.yield(.headArrived(.lookUp(action), $0))
                                    }
                                    mailbox.yield(.lookedUp(action, reply, at: clock.now))
                                }
                            case .post(let submission, let position):
                                posts.addTask { [self] in await post(submission, inputsAt: position, mailbox) }
                            case .cancelReads: reads.cancelAll()
                            case .cancelPosts: posts.cancelAll()
                            case .wake(let time): alarm.set(for: time, clock: clock) { mailbox.yield(.woke) }
                            case .log(let severity, let text): logger.log(level: severity.level, "\(text)")
                            case .finish: isFinished = true
                            case .shelve(let shelved):
                                if let failed = await failure(of: shelved) { mailbox.yield(failed) }
                            case .store(let work):
                                stores.addTask(executorPreference: globalConcurrentExecutor) { [self] in
                                    mailbox.yield(await perform(work))
                                }
                            }
                        }
                        board.update { $0.update(from: machine) }
                        guard !isFinished, let event = await events.next() else { break }
                        if case .woke = event { alarm.rang() }
                        countTokenRequests(&machine)
                        effects = machine.handle(event, at: clock.now)
                    }
                    alarm.cancel()
                }
            }
        }
        countTokenRequests(&machine, isLast: true)
        return try machine.result.get()
    }

    /// Ends its connections.
    func close() async {
        await intents.close()
        await opening.close()
        await loader.close()
    }

    private func countTokenRequests(_ machine: inout ExportMachine, isLast: Bool = false) {
        for status in requests.client.tokenRequests.take(isLast: isLast) { machine.tokenRequested(status: status) }
    }

    private func fetch(_ item: RunItem, _ mailbox: AsyncStream<ExportMachine.Event>.Continuation) async {
        // What does not work here does not work when the answer is stored either, where it is reported.
        if item.isSuspect { try? await ledger.willAskSuspect(item.key) }
        let reply = await requests.fetch(item.key) { mailbox.yield(.headArrived(.run(item.key), $0)) }
        mailbox.yield(.fetched(item, reply, at: clock.now))
    }

    private func post(
        _ submission: PageFollower.Submission, inputsAt position: Int?,
        _ mailbox: AsyncStream<ExportMachine.Event>.Continuation
    ) async {
        do {
            let inputs = try requests.inputs(at: position)
            let reply = await requests.post(submission, inputs: inputs) {
                mailbox.yield(.headArrived(.page(submission.root), $0))
            }
            mailbox.yield(.posted(submission.root, reply, at: clock.now))
        } catch {
            mailbox.yield(.inputsUnreadable(submission.root, error))
        }
    }

    // MARK: The database

    private func perform(_ work: ExportMachine.DatabaseWork) async -> ExportMachine.Event {
        switch work {
        case .open: .opened(await result { try await openStep() })
        case .read(let queue, let limit): await read(queue, limit: limit)
        case .prepare(let open): .chainReady(open.chain.root, await result { try ready(open) })
        case .commit(let batch, let count):
            .committed(await result { try await commit(batch, requests: count) })
        case .write(let write, let root): .chain(root, await self.write(write, of: root))
        case .remember(let description, let action):
            .remembered(await result { try await ledger.remember(description, of: action) })
        }
    }

    func openStep() async throws -> OpenedStep {
        let step = try await opening.openStep(at: clock.now)
        let found = await opening.found
        board.update {
            $0.items = max($0.items, found.items)
            $0.alreadySettled = found.settledCount
        }
        // Without a manifest there are as many as have been found so far.
        let items = step.isLast || requests.manifests == nil ? found.items : nil
        try await ledger.noteOpened(items: items, alreadySettled: found.settledCount)
        if step.isLast {
            logger.info(
                "export \(ledger.exportID): \(found.items) runs, \(found.settledCount) of them settled before")
        }
        return step
    }

    private func commit(_ batch: [FetchedRun], requests: RequestCount) async throws -> [Commit] {
        let commits = try await loader.commit(batch, requests: requests)
        await list.stored(commits.lazy.filter { $0.item.page == nil }.map(\.item.key))
        return commits
    }

    private func read(_ queue: WorkQueue, limit: Int) async -> ExportMachine.Event {
        switch queue {
        case .first, .late, .suspects: .queueRead(queue, await result { try await take(queue, limit: limit) })
        case .storedPages:
            .queueRead(queue, await result { try await list.take(queue, limit: limit).map(\.item) })
        case .polls:
            .pollsRead(await result { try await list.take(queue, limit: limit).map { ($0.item, $0.rank) } })
        case .chains: await readChains(limit: limit)
        }
    }

    /// Takes runs that are asked for for the first time.
    private func take(_ queue: WorkQueue, limit: Int) async throws -> [RunItem] {
        let items = try await list.take(queue, limit: limit).map(\.item)
        if !items.isEmpty { try await ledger.takeInHand(list.keysInHand) }
        return items
    }

    private func readChains(limit: Int) async -> ExportMachine.Event {
        var taken = 0
        let chains = await result {
            let roots = try await list.take(.chains, limit: limit).map(\.item)
            taken = roots.count
            return try await ledger.openChains(roots.map { ($0.key, $0.manifestPosition) }).map(ready)
        }
        return .chainsRead(chains, taken: taken)
    }

    /// Puts something into the work list.
    ///
    /// - Returns: nil if it is there.
    private func failure(of shelved: ExportMachine.Shelved) async -> ExportMachine.Event? {
        do {
            switch shelved {
            case .poll(let poll): try await list.add([WorkEntry(rank: poll.at, item: poll.item)], to: .polls)
            case .chain(let open):
                var item = RunItem(key: open.chain.root, expiresAt: .distantFuture)
                item.manifestPosition = open.manifestPosition
                try await list.add([WorkEntry(rank: clock.now, item: item)], to: .chains)
            }
            return nil
        } catch {
            return .shelvingFailed(error)
        }
    }

    private func ready(_ open: OpenChain) throws -> ExportMachine.ReadyChain {
        ExportMachine.ReadyChain(open: open, inputsHash: try requests.inputsHash(of: open))
    }

    private func write(_ write: ExportMachine.ChainWrite, of root: RunKey) async -> ExportMachine.ChainResult {
        switch write {
        case .intent(let submission): .intended(await result { try await intents.write(submission) })
        case .withdrawal(let submission): .withdrawn(await result { try await intents.withdraw(submission) })
        case .record(let submission, let runID, let time):
            .recorded(await result { try await intents.record(submission, runID: runID, at: time) })
        case .end(let chain, let end, let failedAttempts, let intentID):
            .closed(
                await result {
                    try await ledger.end(chain, end, failedAttempts: failedAttempts, intentID: intentID)
                })
        case .leave(let left): .closed(await result { try await ledger.leave(root, left) })
        case .read: .read(await result { try await ledger.chain(root) })
        }
    }
}

extension ExportMachine.Severity {
    fileprivate var level: Logger.Level {
        switch self {
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        }
    }
}

func result<T>(_ body: () async throws -> T) async -> Result<T, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
}
