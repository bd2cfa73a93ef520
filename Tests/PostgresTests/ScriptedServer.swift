import Foundation
import Postgres

/// A server that lets every client in and gives each statement of the simple protocol the answer that a test wants. To
/// its clients it looks like a pooler: the process number of a connection's start is not the one that `.row` names.
final class ScriptedServer: Sendable {
    enum Answer {
        /// One row with one value.
        case row(String)
        case done
        /// An error that ends the connection.
        case end(sqlstate: String, message: String)
        case silence
    }

    /// - Parameter connection: counted from 0, in the order of arrival.
    typealias Script = @Sendable (_ connection: Int, _ statement: String) -> Answer

    static let processNumberAtStart: Int32 = 1

    let port: UInt16
    private let listener: Int32
    private let admitted: Int
    private let script: Script
    private let sockets = OpenSockets()

    /// - Parameter admitted: how many connections are let in; later ones are accepted and hear nothing.
    init(admitted: Int = .max, _ script: @escaping Script) throws {
        self.admitted = admitted
        self.script = script
        (listener, port) = try FaultyProxy.listen()
        sockets.add(listener)
        Thread.detachNewThread { [self] in acceptLoop() }
    }

    /// - Parameter settings: further `key=value` pairs.
    func configuration(_ settings: String = "") -> PostgresConfiguration {
        PostgresConfiguration(
            connectionString: "host=127.0.0.1 port=\(port) sslmode=disable gssencmode=disable \(settings)")
    }

    /// Ends every connection.
    func close() { sockets.close() }

    private func acceptLoop() {
        var connection = 0
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            sockets.add(client)
            if connection < admitted {
                let number = connection
                Thread.detachNewThread { [self] in serve(client, number) }
            }
            connection += 1
        }
    }

    private func serve(_ client: Int32, _ connection: Int) {
        // The start-up message has no type.
        guard Self.readBody(from: client) != nil, Self.send(Self.welcome, to: client) else { return }
        while let type = Self.read(1, from: client), let body = Self.readBody(from: client) {
            guard type == Array("Q".utf8) else { return }
            let statement = String(decoding: body.dropLast(), as: UTF8.self)
            switch script(connection, statement) {
            case .row(let value): _ = Self.send(Self.row(value) + Self.ready, to: client)
            case .done: _ = Self.send(Self.message("C", Self.text("DONE")) + Self.ready, to: client)
            case .silence: break
            case .end(let sqlstate, let message):
                _ = Self.send(Self.endOfSession(sqlstate, message), to: client)
                shutdown(client, Int32(SHUT_RDWR))
                return
            }
        }
    }
}

/// Messages of the protocol (https://www.postgresql.org/docs/15/protocol-message-formats.html).
extension ScriptedServer {
    /// As PgBouncer words it: without the severity that is never translated.
    static func endOfSession(_ sqlstate: String, _ message: String) -> [UInt8] {
        self.message("E", text("SFATAL"), text("C\(sqlstate)"), text("M\(message)"), [0])
    }

    private static var welcome: [UInt8] {
        let messages: [[UInt8]] = [
            message("R", bigEndian(Int32(0))),
            message("S", text("server_encoding"), text("UTF8")),
            message("S", text("client_encoding"), text("UTF8")),
            message("K", bigEndian(processNumberAtStart), bigEndian(Int32(0))),
            ready,
        ]
        return messages.flatMap { $0 }
    }

    private static let ready = message("Z", Array("I".utf8))

    /// A row with one column, an `int4` in the text format.
    private static func row(_ value: String) -> [UInt8] {
        let bytes = Array(value.utf8)
        let messages: [[UInt8]] = [
            // Of the column: the name, no table, the type with its size, no modifier, the format.
            message(
                "T", bigEndian(Int16(1)), text("value"), bigEndian(Int32(0)), bigEndian(Int16(0)),
                bigEndian(Int32(23)), bigEndian(Int16(4)), bigEndian(Int32(-1)), bigEndian(Int16(0))),
            message("D", bigEndian(Int16(1)), bigEndian(Int32(bytes.count)), bytes),
            message("C", text("SELECT 1")),
        ]
        return messages.flatMap { $0 }
    }

    private static func message(_ type: String, _ fields: [UInt8]...) -> [UInt8] {
        let body = fields.flatMap { $0 }
        return Array(type.utf8) + bigEndian(Int32(body.count + 4)) + body
    }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    private static func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}

extension ScriptedServer {
    /// - Returns: false if the client has gone.
    static func send(_ bytes: [UInt8], to client: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let written = bytes[sent...].withUnsafeBytes {
                Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { return false }
            sent += written
        }
        return true
    }

    /// A length, which counts itself, and what it is the length of.
    private static func readBody(from client: Int32) -> [UInt8]? {
        guard let length = read(4, from: client)?.reduce(0, { $0 << 8 | Int($1) }), length >= 4 else { return nil }
        return read(length - 4, from: client)
    }

    private static func read(_ count: Int, from client: Int32) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var piece = [UInt8](repeating: 0, count: count - bytes.count)
            let received = recv(client, &piece, piece.count, 0)
            guard received > 0 else { return nil }
            bytes += piece[..<received]
        }
        return bytes
    }
}
