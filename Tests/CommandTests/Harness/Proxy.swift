import Foundation
import Synchronization

/// A TCP proxy of a test's own before a server, which does harm at chosen requests of a program.
final class Proxy: Sendable {
    /// A step of the program's talk with the server, and the harm to do there, once.
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
        }

        /// What the requests of one connection are like, one after the other: the last is the one meant.
        var steps: [@Sendable (String) -> Bool]
        /// Which of those that are like this, from 1.
        var occurrence = 1
        var moment: Moment
        var harm = Harm.hold
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
        var isSpent = false
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
        let connections = state.withLock { state in
            defer { state.connections = [] }
            state.isClosed = true
            return state.connections
        }
        connections.forEach { $0.cut() }
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
            shutdown(client, Int32(SHUT_RDWR))
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
                    guard goesOn(connection, trigger), Self.send(request.bytes, to: connection.server) else { return }
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
                guard goesOn(connection, trigger) else { return }
            }
            guard Self.send(bytes, to: connection.client) else { return }
        }
        // A connection that is held up is not even seen to end.
        if connection.answer.withLock({ $0?.harm == .hold }) { return }
        connection.cut()
    }

    /// Does the harm; false when the connection has no future.
    private func goesOn(_ connection: Connection, _ trigger: Trigger) -> Bool {
        let gate = DispatchSemaphore(value: 0)
        let isHeld = state.withLock { state in
            state.fired += 1
            guard trigger.harm == .hold, !state.isClosed else { return false }
            state.gates.append(gate)
            return true
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
            for index in state.triggers.indices where !state.triggers[index].isSpent {
                let trigger = state.triggers[index].trigger
                let taken = progress[index, default: 0]
                guard trigger.steps[taken](request.text) else { continue }
                guard taken + 1 == trigger.steps.count else {
                    progress[index] = taken + 1
                    continue
                }
                progress[index] = 0
                state.triggers[index].hits += 1
                guard state.triggers[index].hits == trigger.occurrence else { continue }
                state.triggers[index].isSpent = true
                return trigger
            }
            return nil
        }
    }
}
