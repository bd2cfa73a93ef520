import Foundation
import Postgres

/// A cluster of one test's own, which it may stop and crash.
struct PrivateCluster {
    struct ScriptFailed: Error {
        let arguments: [String]
        let status: Int32
    }

    static let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../scripts")

    let folder = FileManager.default.temporaryDirectory.appending(path: "pg-\(UUID().uuidString.prefix(8))")
    let port: UInt16

    private init() throws {
        try Self.run("postgres", "create", folder.path)
        let text = try String(contentsOf: folder.appending(path: "port"), encoding: .utf8)
        port = UInt16(text.trimmingCharacters(in: .newlines)) ?? 0
        try start()
    }

    static func with(_ body: (PrivateCluster) async throws -> Void) async throws {
        let cluster = try await offThePool { try PrivateCluster() }
        let result: Result<Void, any Error>
        do { result = .success(try await body(cluster)) } catch { result = .failure(error) }
        try await offThePool { try run("postgres", "remove", cluster.folder.path) }
        try result.get()
    }

    var configuration: PostgresConfiguration {
        PostgresConfiguration(connectionString: "host=127.0.0.1 port=\(port) user=postgres dbname=postgres")
    }

    func start() throws { try Self.run("postgres", "start", folder.path) }
    func crash() throws { try Self.run("postgres", "stop", folder.path, "immediate") }
    func stop() throws { try Self.run("postgres", "stop", folder.path, "fast") }

    private static func run(_ arguments: String...) throws {
        let status = try runScript(arguments)
        if status != 0 { throw ScriptFailed(arguments: arguments, status: status) }
    }

    /// Runs a program of `scripts/` to its end, with no signal blocked: Foundation's `Process` hands on the mask of
    /// the thread that it is called on, which for a thread of Dispatch's blocks nearly all.
    static func runScript(_ arguments: [String]) throws -> Int32 {
        let path = scripts.appending(path: arguments[0]).path
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, path, nil, &attributes, words, environ)
        if failure != 0 { throw ScriptFailed(arguments: arguments, status: failure) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) == -1, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }
}

/// Runs what blocks on a thread of its own: the few of Swift's pool belong to all tests.
func offThePool<R: Sendable>(_ work: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: work)) }
    }
}
