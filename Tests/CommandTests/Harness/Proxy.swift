import Foundation
import Synchronization

/// A TCP proxy of a test's own before a server, which does harm at chosen requests of a program.
final class Proxy: Sendable {
    /// A step of the program's talk with the server, and the harm to do there, once unless it says otherwise.
    struct Trigger: Sendable {
        enum Moment: Sendable {
            /// The request has arrived here; the server never hears of it.
            case held
            /// The server has the request; whatever it answers is lost.
            case sent
            /// The server's answer has arrived here, and goes no further.
            case answered
        }

        enum Harm: Sendable {
            /// Nothing more goes over that connection, until `letGo` or `close`.
            case hold
            /// The connection is cut.
            case cut
            /// The connection ends in a reset, as when the server's machine has gone.
            case reset
            /// The answer goes on byte by byte, so many microseconds apart.
            case drip(UInt32)
            /// This is answered, whatever the server would have said or has said.
            case answer(String)
        }

        /// How much of the request that is held, or of the answer, gets through before the harm is done.
        enum Share: Sendable {
            case nothing
            case bytes(Int)
            /// 0 to 1.
            case part(Double)
            /// The head, and 0 to 1 of the body.
            case body(Double)
        }

        /// What the requests of one connection are like, one after the other: the last is the one meant.
        var steps: [@Sendable (String) -> Bool]
        /// Which of those that are like this, from 1.
        var occurrence = 1
        var moment: Moment
        var harm = Harm.hold
        var passing = Share.nothing
        /// How often in all, and after how many further ones again.
        var times = 1
        var every = 1
    }

    let port: UInt16
    private let target: UInt16
    private let wire: Wire
    private let state: Mutex<State>

    private struct State {
        var listener: Int32
        var connections: [Connection] = []
        var triggers: [Armed]
        var fired = 0
        var isClosed = false
        /// Connections that are held up wait for it.
        var gates: [DispatchSemaphore] = []
    }

    private struct Armed {
        let trigger: Trigger
        var hits = 0
        var fired = 0
    }

    init(before target: UInt16, _ wire: Wire, _ triggers: [Trigger]) throws {
        self.target = target
        self.wire = wire
        let (listener, port) = try Self.listen(on: 0)
        self.port = port
        state = Mutex(State(listener: listener, triggers: triggers.map { Armed(trigger: $0) }))
        accept(from: listener)
    }

    /// How many triggers have been pulled.
    var fired: Int { state.withLock(\.fired) }

    /// Adds a trigger to those that are there.
    func arm(_ trigger: Trigger) {
        state.withLock { $0.triggers.append(Armed(trigger: trigger)) }
    }

    /// Cuts every connection that there is now.
    func cutConnections() {
        let connections = state.withLock { state in
            defer { state.connections = [] }
            return state.connections
        }
        connections.forEach { $0.cut() }
    }

    /// Lets the connections that are held up go on.
    func letGo() {
        let gates = state.withLock { state in
            defer { state.gates = [] }
            return state.gates
        }
        gates.forEach { $0.signal() }
    }

    /// New connections are refused from now on.
    func refuseConnections() {
        let listener = state.withLock { state in
            defer { state.listener = -1 }
            return state.listener
        }
        guard listener >= 0 else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
    }

    /// And now no longer.
    func acceptConnections() throws {
        let (listener, _) = try Self.listen(on: port)
        state.withLock { $0.listener = listener }
        accept(from: listener)
    }

    /// Ends every connection; what is held up never arrives.
    func close() {
        state.withLock { $0.isClosed = true }
        cutConnections()
        refuseConnections()
        letGo()
    }

    private func accept(from listener: Int32) {
        Thread.detachNewThread { [self] in
            while true {
                let client = Glibc.accept(listener, nil, nil)
                guard client >= 0 else { return }
                guard let server = try? Self.connect(to: target) else {
                    Glibc.close(client)
                    continue
                }
                let connection = Connection(client: client, server: server)
                let isLate = state.withLock { state in
                    if !state.isClosed { state.connections.append(connection) }
                    return state.isClosed
                }
                if isLate { return }
                Thread.detachNewThread { [self] in passRequests(of: connection) }
                Thread.detachNewThread { [self] in passAnswers(of: connection) }
            }
        }
    }

    // MARK: One connection

    private final class Connection: Sendable {
        let client: Int32
        let server: Int32
        /// What is to become of the next bytes that the server sends.
        let answer = Mutex<Trigger?>(nil)
        private let isReset = Mutex(false)

        init(client: Int32, server: Int32) {
            self.client = client
            self.server = server
        }

        /// A descriptor is given back only when no thread can name it any more: its number is used again at once.
        deinit {
            Glibc.close(client)
            Glibc.close(server)
        }

        func cut() {
            if !isReset.withLock(\.self) { shutdown(client, Int32(SHUT_RDWR)) }
            shutdown(server, Int32(SHUT_RDWR))
        }

        /// The reset leaves when the descriptor is given back.
        func reset() {
            isReset.withLock { $0 = true }
            var atOnce = linger(l_onoff: 1, l_linger: 0)
            setsockopt(client, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
            shutdown(client, Int32(SHUT_RD))
            shutdown(server, Int32(SHUT_RDWR))
        }
    }

    private func passRequests(of connection: Connection) {
        var requests = Requests(wire)
        /// By trigger, how many of its steps this connection has taken.
        var progress: [Int: Int] = [:]
        while let bytes = Self.receive(from: connection.client) {
            requests.append(bytes)
            while let request = requests.next() {
                guard let trigger = pulled(by: request, &progress) else {
                    guard Self.send(request.bytes, to: connection.server) else { return }
                    continue
                }
                if trigger.moment == .held {
                    let first = trigger.passing.count(of: request.bytes)
                    if case .answer(let text) = trigger.harm {
                        guard goesOn(connection, trigger), Self.send(Array(text.utf8), to: connection.client) else {
                            return
                        }
                        continue
                    }
                    guard Self.send(Array(request.bytes[..<first]), to: connection.server),
                        goesOn(connection, trigger),
                        Self.send(Array(request.bytes[first...]), to: connection.server)
                    else { return }
                    continue
                }
                connection.answer.withLock { $0 = trigger }
                guard Self.send(request.bytes, to: connection.server) else { return }
                if trigger.moment == .sent {
                    guard goesOn(connection, trigger) else { return }
                }
            }
        }
        connection.cut()
    }

    private func passAnswers(of connection: Connection) {
        while let bytes = Self.receive(from: connection.server) {
            let trigger = connection.answer.withLock { trigger in
                defer { trigger = nil }
                return trigger
            }
            if let trigger {
                if trigger.moment == .sent {
                    connection.answer.withLock { $0 = trigger }
                    continue
                }
                guard pass(wholeAnswer(bytes, of: connection), of: connection, trigger) else { return }
                continue
            }
            guard Self.send(bytes, to: connection.client) else { return }
        }
        // A connection that is held up is not even seen to end.
        if connection.answer.withLock({ if case .hold? = $0?.harm { true } else { false } }) { return }
        connection.cut()
    }

    /// Does the harm in the midst of an answer; false when the connection has no future.
    private func pass(_ answer: [UInt8], of connection: Connection, _ trigger: Trigger) -> Bool {
        switch trigger.harm {
        case .answer(let text):
            return goesOn(connection, trigger) && Self.send(Array(text.utf8), to: connection.client)
        case .drip(let gap):
            guard goesOn(connection, trigger) else { return false }
            for byte in answer {
                guard Self.send([byte], to: connection.client) else { return false }
                usleep(gap)
            }
            return true
        case .hold, .cut, .reset:
            let first = trigger.passing.count(of: answer)
            return Self.send(Array(answer[..<first]), to: connection.client) && goesOn(connection, trigger)
                && Self.send(Array(answer[first...]), to: connection.client)
        }
    }

    /// An answer of HTTP is waited for until it is complete, one of PostgreSQL is what has come.
    private func wholeAnswer(_ start: [UInt8], of connection: Connection) -> [UInt8] {
        guard case .http = wire else { return start }
        var answer = Requests(.http)
        var all = start
        answer.append(start)
        while answer.next() == nil, let bytes = Self.receive(from: connection.server) {
            answer.append(bytes)
            all += bytes
        }
        return all
    }

    /// Does the harm; false when the connection has no future.
    private func goesOn(_ connection: Connection, _ trigger: Trigger) -> Bool {
        let gate = DispatchSemaphore(value: 0)
        let isHeld = state.withLock { state in
            state.fired += 1
            guard case .hold = trigger.harm, !state.isClosed else { return false }
            state.gates.append(gate)
            return true
        }
        switch trigger.harm {
        case .drip, .answer: return true
        case .reset:
            state.withLock { $0.connections.removeAll { $0 === connection } }
            connection.reset()
            return false
        case .hold, .cut: break
        }
        if isHeld {
            gate.wait()
            if !state.withLock(\.isClosed) { return true }
        } else if trigger.moment == .sent {
            // The server is not to learn of it, so that it does what it was told to.
            shutdown(connection.client, Int32(SHUT_RDWR))
            return false
        }
        connection.cut()
        return false
    }

    private func pulled(by request: Requests.Request, _ progress: inout [Int: Int]) -> Trigger? {
        state.withLock { state in
            for index in state.triggers.indices {
                let trigger = state.triggers[index].trigger
                guard state.triggers[index].fired < trigger.times else { continue }
                let taken = progress[index, default: 0]
                guard trigger.steps[taken](request.text) else { continue }
                guard taken + 1 == trigger.steps.count else {
                    progress[index] = taken + 1
                    continue
                }
                progress[index] = 0
                state.triggers[index].hits += 1
                let late = state.triggers[index].hits - trigger.occurrence
                guard late >= 0, late % trigger.every == 0 else { continue }
                state.triggers[index].fired += 1
                return trigger
            }
            return nil
        }
    }
}

extension Proxy.Trigger.Share {
    func count(of bytes: [UInt8]) -> Int {
        let count =
            switch self {
            case .nothing: 0
            case .bytes(let count): count
            case .part(let part): Int(Double(bytes.count) * part)
            case .body(let part):
                bytes.firstRange(of: Array("\r\n\r\n".utf8)).map { head in
                    head.upperBound + Int(Double(bytes.count - head.upperBound) * part)
                } ?? 0
            }
        return min(max(count, 0), bytes.count)
    }
}
