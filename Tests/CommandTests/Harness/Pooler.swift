import Foundation
import Subprocess
import Support
import Testing

import Glibc

/// A PgBouncer of a test's own before the tests' server.
struct Pooler: Sendable {
    let port: UInt16

    /// Runs `body` beside it.
    ///
    /// - Parameters:
    ///   - mode: `session`, `transaction` or `statement`.
    ///   - size: of its pools.
    ///   - more: lines of its configuration.
    static func with<R: Sendable>(
        _ mode: String, size: Int, more: String = "", _ body: @escaping @Sendable (Pooler) async throws -> R
    ) async throws -> R {
        let server = try TestServer()
        let folder = FileManager.default.temporaryDirectory.appending(path: "pooler-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (listener, port) = try Proxy.listen(on: 0)
        close(listener)
        let settings = """
            [databases]
            * = host=127.0.0.1 port=\(server.port) user=postgres
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = \(mode)
            default_pool_size = \(size)
            \(more)
            """
        let file = folder.appending(path: "pgbouncer.ini")
        try Data(settings.utf8).write(to: file)
        // It does not run as root.
        let user = geteuid() == 0 ? ["-u", getpwnam("postgres") == nil ? "nobody" : "postgres"] : []
        let pooler = Pooler(port: port)
        return try await Program(path: path).beside(["-q"] + user + [file.path]) {
            try await wait("PgBouncer listens") { pooler.listens }
            return try await body(pooler)
        }
    }

    private var listens: Bool {
        guard let socket = try? Proxy.connect(to: port) else { return false }
        close(socket)
        return true
    }

    /// Has so many clients at once ask it something, each in psql; their answers.
    func ask(_ clients: Int, _ query: String, database: String) async throws -> [String] {
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<clients {
                group.addTask {
                    let asked = try await Program(path: "/usr/bin/env").run(
                        ["psql", "-X", "-At", "-c", query],
                        environment: [
                            "PATH": "/usr/bin:/bin:/usr/local/bin", "PGHOST": "127.0.0.1", "PGPORT": "\(port)",
                            "PGUSER": "postgres", "PGDATABASE": database,
                        ])
                    return asked.status == 0 ? asked.stdout.trimmingCharacters(in: .newlines) : asked.stderr
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    private static let path =
        ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
        .first { FileManager.default.isExecutableFile(atPath: $0) } ?? "/usr/sbin/pgbouncer"

    /// What leads the program through it.
    var changes: [String: String?] {
        ["PGHOST": "127.0.0.1", "PGPORT": "\(port)", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"]
    }
}

extension Program {
    /// Runs it while `body` does; then ends it at once.
    fileprivate func beside<R: Sendable>(
        _ arguments: [String], _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let result = try await Subprocess.run(
            .path(.init(path)), arguments: Arguments(arguments), input: .none, output: .discarded, error: .discarded
        ) { execution in
            let result = await outcome { try await body() }
            try? execution.send(signal: .kill)
            return result
        }
        return try result.closureResult.get()
    }
}
