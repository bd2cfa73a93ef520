import ActionsAPI
import ActionsHTTP
import Foundation

@testable import ExportCore
@testable import Exporter

/// What an export's effects make happen, and the events that come of it: all that the simulation and the machine say to
/// each other is in this file.
extension World {
    // MARK: Effects

    mutating func act(on effect: Effect, of id: Int) {
        switch effect {
        case .fetch(let item):
            if item.isSuspect { checkSuspect(item, of: id) }
            exports[id]?.fetched.insert(item.key)
            send(.run(item.key), .run(item.key), item, of: id)
        case .lookUp(let action): send(.lookUp(action), .lookUp(action), nil, of: id)
        case .post(let submission, _):
            checkPost(submission, of: id)
            send(.page(submission), .page(submission.root), nil, of: id)
        case .store(let work):
            schedule(.statement(work), of: id, at: now + random.next(in: pace.database) / 2)
        case .shelve(let shelved): database.shelve(shelved, of: id)
        case .cancelReads: cancel(.reads, of: id)
        case .cancelPosts: cancel(.runs, of: id)
        case .log(_, let text): exports[id]?.record.log.append(text)
        case .wake(let time): exports[id]?.wakeAt = time
        case .finish:
            if let left = exports[id]?.inFlight, !left.isEmpty {
                faults.append("export \(id) ends with \(left.count) requests in flight")
            }
            close(id, exports[id]?.machine.result)
        }
    }

    private mutating func send(
        _ request: WorldAPI.Request, _ requestID: RequestID, _ item: RunItem?, of id: Int
    ) {
        guard let export = exports[id] else { return }
        if export.inFlight[requestID] != nil { faults.append("export \(id): \(requestID) is in flight twice") }
        if request.isPage ? export.hasCancelled.posts : export.hasCancelled.reads {
            faults.append("export \(id): \(requestID) leaves after the end")
        }
        if export.inFlight.values.contains(where: { $0?.isSuspect == true }) {
            faults.append("export \(id): \(requestID) leaves while a suspect is in flight")
        }
        exports[id]?.inFlight.updateValue(item, forKey: requestID)
        let inFlight = export.inFlight.count + 1
        if inFlight > export.plan.options.concurrency { faults.append("export \(id): \(inFlight) are in flight") }
        exports[id]?.record.mostInFlight = max(export.record.mostInFlight, inFlight)
        schedule(.arrival(request, item), of: id, at: now + random.next(in: pace.latency) * 0.3)
    }

    private mutating func cancel(_ bucket: Bucket, of id: Int) {
        switch bucket {
        case .reads: exports[id]?.hasCancelled.reads = true
        case .runs: exports[id]?.hasCancelled.posts = true
        }
        let cancelled = (exports[id]?.inFlight ?? [:]).filter { $0.key.bucket == bucket }
        for (request, item) in cancelled.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            let event: Event =
                switch request {
                case .run(let key):
                    .fetched(
                        item ?? RunItem(key: key, expiresAt: now), .cancelled(mayHaveLeft: true), at: now)
                case .lookUp(let action): .lookedUp(action, .cancelled(mayHaveLeft: true), at: now)
                case .page(let root): .posted(root, .cancelled(mayHaveLeft: true), at: now)
                }
            schedule(.event(event), of: id, at: now)
        }
    }

    static let woken = Event.woke
    static func signalled(_ number: Int32) -> Event { .interrupted(signal: number) }

    // MARK: The API

    /// A request is at the API, which acts on it whether or not its export is still there.
    mutating func arrive(_ request: WorldAPI.Request, _ item: RunItem?, of id: Int) {
        let wire = api.answer(request, at: now, random: &random)
        if case .page(let submission) = request { checkStarts(submission) }
        let head = now + random.next(in: pace.latency) * 0.7
        let whole = random.happens(pace.slowBodies) ? head + random.unit() : head
        // Without an answer the connection takes its time to break.
        let time = if case .lost(.timedOut) = wire { now + 60 } else { whole }
        guard exports[id] != nil else { return }
        if case .answer(let response) = wire, whole > head {
            schedule(
                .event(.headArrived(Self.requestID(request), Self.replyHead(response, at: head))), of: id, at: head)
        }
        let event: Event =
            switch request {
            case .run(let key):
                .fetched(
                    item ?? RunItem(key: key, expiresAt: now),
                    Self.reply(wire, headAt: head) { runAnswer($0, runID: key.runID) }, at: time)
            case .lookUp(let action):
                .lookedUp(
                    action, Self.reply(wire, headAt: head) { LookUpAnswer($0, storedActionID: action) }, at: time)
            case .page(let submission):
                .posted(submission.root, Self.reply(wire, headAt: head) { StartAnswer($0) }, at: time)
            }
        schedule(.event(event), of: id, at: time)
    }

    private static func requestID(_ request: WorldAPI.Request) -> RequestID {
        switch request {
        case .run(let key): .run(key)
        case .lookUp(let action): .lookUp(action)
        case .page(let submission): .page(submission.root)
        }
    }

    /// The request that an event answers; nil for others.
    func request(of event: Event) -> RequestID? {
        switch event {
        case .headArrived(let request, _): request
        case .fetched(let item, _, _): .run(item.key)
        case .lookedUp(let action, _, _): .lookUp(action)
        case .posted(let root, _, _): .page(root)
        default: nil
        }
    }

    /// What the answer to a POST shows to the export that hears it.
    mutating func noteStart(_ event: Event, of id: Int) {
        guard case .posted(let root, let reply, _) = event, outstanding[root]?.export == id else { return }
        switch reply {
        case .noToken: outstanding[root] = nil
        case .failed(let error): if error.kind == .notConnected { outstanding[root] = nil }
        case .answered(_, let details):
            let status = details.head.status
            let isRefusal = (400...499).contains(status) && ![408, 425].contains(status)
            if isRefusal || status == 503 { outstanding[root] = nil }
        case .cancelled: break
        }
    }

    private static func reply<Answer>(
        _ wire: WorldAPI.Wire, headAt time: Date, _ read: (APIResponse) -> Answer
    ) -> Reply<Answer> {
        switch wire {
        case .answer(let response):
            .answered(read(response), ReplyDetails(head: Self.replyHead(response, at: time)))
        case .notConnected: .failed(TransportError(.notConnected, "connection refused"))
        case .lost(let kind): .failed(TransportError(kind, "the connection was lost"))
        case .noToken(let kind): .noToken(TokenError(kind, "no token"))
        }
    }

    private static func replyHead(_ response: APIResponse, at time: Date) -> ReplyHead {
        ReplyHead(
            status: response.status,
            headers: response.headers.isEmpty
                ? RateLimitHeaders() : RateLimitHeaders(response.headers, receivedAt: time), at: time)
    }

    private mutating func runAnswer(_ response: APIResponse, runID: UUID) -> RunAnswer {
        let key = "\(response.status) \(String(decoding: response.body, as: UTF8.self))"
        if let known = answers[key] { return known }
        let answer = RunAnswer(response, runID: runID)
        if answers.count < 5_000 { answers[key] = answer }
        return answer
    }

    // MARK: The database

    /// Performs a statement.
    ///
    /// - Returns: what its export hears of it.
    mutating func perform(_ statement: ExportMachine.DatabaseWork, of id: Int) -> Event {
        switch statement {
        case .open:
            .opened(
                .success(database.openStep(of: id, options: exports[id]?.plan.options ?? ExportOptions(), at: now)))
        case .read(.polls, let limit): .pollsRead(.success(database.takePolls(of: id, limit: limit)))
        case .read(.chains, let limit): takeChains(of: id, limit: limit)
        case .read(.storedPages, let limit):
            .queueRead(.storedPages, .success(database.takeStoredPages(of: id, limit: limit)))
        case .read(let queue, let limit):
            .queueRead(queue, .success(database.take(queue, of: id, limit: limit, at: now)))
        case .prepare(let open): .chainReady(open.chain.root, .success(ready(open, of: id)))
        case .commit(let batch, _): .committed(.success(database.commit(batch, of: id)))
        case .write(let write, let root): .chain(root, perform(write, of: root, by: id))
        case .remember(let description, let action): remembered(description, of: action)
        }
    }

    private mutating func takeChains(of id: Int, limit: Int) -> Event {
        let chains = database.takeChains(of: id, limit: limit)
        return .chainsRead(.success(chains.open.map { ready($0, of: id) }), taken: chains.taken)
    }

    private mutating func remembered(_ description: StoredActionDescription, of action: UUID) -> Event {
        database.actionTypes[action] = .some(description.actionType)
        return .remembered(.success(()))
    }

    private func ready(_ open: OpenChain, of id: Int) -> ExportMachine.ReadyChain {
        ExportMachine.ReadyChain(open: open, inputsHash: exports[id]?.plan.inputsHash)
    }

    private mutating func perform(
        _ write: ExportMachine.ChainWrite, of root: RunKey, by id: Int
    ) -> ExportMachine.ChainResult {
        switch write {
        case .intent(let submission):
            connectIntents(of: id)
            return .intended(.success(database.write(submission, of: id, at: now)))
        case .withdrawal(let submission):
            connectIntents(of: id)
            database.withdraw(submission.intentID, of: root)
            return .withdrawn(.success(()))
        case .record(let submission, let runID, let time):
            connectIntents(of: id)
            let chain = database.record(runID, of: root, intentID: submission.intentID, at: time)
            if chain != nil { outstanding[root] = nil }
            return .recorded(.success(chain))
        case .end(let chain, let end, let failedAttempts, let intentID):
            database.end(chain, end, failedAttempts: failedAttempts, intentID: intentID)
            return .closed(.success(()))
        case .leave(let left):
            database.leave(root, left, of: id)
            return .closed(.success(()))
        case .read: return .read(.success(database.chain(root)))
        }
    }

    /// A lock that was lost is taken again with the connection.
    private mutating func connectIntents(of id: Int) {
        if exports[id]?.isDatabaseLost == false { database.alive.insert(id) }
    }

    /// What an export hears of a statement that it has lost the database at.
    func failure(of statement: ExportMachine.DatabaseWork) -> Event {
        let lost = WorldDatabase.Lost()
        return switch statement {
        case .open: .opened(.failure(lost))
        case .read(.polls, _): .pollsRead(.failure(lost))
        case .read(.chains, _): .chainsRead(.failure(lost), taken: 0)
        case .read(let queue, _): .queueRead(queue, .failure(lost))
        case .prepare(let open): .chainReady(open.chain.root, .failure(lost))
        case .commit: .committed(.failure(lost))
        case .write(.intent, let root): .chain(root, .intended(.failure(lost)))
        case .write(.withdrawal, let root): .chain(root, .withdrawn(.failure(lost)))
        case .write(.record, let root): .chain(root, .recorded(.failure(lost)))
        case .write(.read, let root): .chain(root, .read(.failure(lost)))
        case .write(.end, let root), .write(.leave, let root): .chain(root, .closed(.failure(lost)))
        case .remember: .remembered(.failure(lost))
        }
    }
}

extension ExportMachine.Event {
    /// Whether nothing more comes of the request that it answers.
    var endsRequest: Bool {
        if case .headArrived = self { false } else { true }
    }
}

extension World.Happening {
    /// Its kind, without its values.
    var name: String {
        switch self {
        case .arrival(let request, _): "arrival of \(Self.kind(of: request))"
        case .statement(.write(let write, _)): "statement \(Self.kind(of: write))"
        case .statement(let effect): "statement \(Self.kind(of: effect))"
        case .event(.chain(_, let news)): "event \(Self.kind(of: news))"
        case .event(let event): "event \(Self.kind(of: event))"
        case .begins, .signal, .killed, .databaseLost, .lockLost: Self.kind(of: self)
        }
    }

    private static func kind(of value: Any) -> String {
        Mirror(reflecting: value).children.first?.label ?? "\(value)"
    }
}
