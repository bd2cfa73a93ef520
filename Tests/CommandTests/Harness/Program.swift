import Foundation
import Subprocess

import Glibc

/// A program, run as its users run it: arguments, environment, standard streams, exit status.
struct Program: Sendable {
    /// Where `swift build` put the package's programs: beside the running tests.
    private static var buildFolder: URL? { Bundle.main.executableURL?.deletingLastPathComponent() }

    struct NotBuilt: Error, CustomStringConvertible {
        let description: String
    }

    /// It ran longer than it was given, and was killed.
    struct TookTooLong: Error, CustomStringConvertible {
        let description: String
    }

    let path: String

    /// - Parameter name: of one of this package's programs.
    init(built name: String) throws {
        guard let url = Self.buildFolder?.appending(path: name), FileManager.default.isExecutableFile(atPath: url.path)
        else { throw NotBuilt(description: "\(name) is not beside the tests: build it first") }
        path = url.path
    }

    init(path: String) { self.path = path }

    /// How a program ended.
    struct Finished: Sendable {
        /// Its exit status, or the negative number of the signal that killed it.
        let status: Int32
        let stdout: String
        let stderr: String
    }

    /// A program under way.
    struct Running: Sendable {
        let pid: pid_t

        func send(_ signal: Int32) { kill(pid, signal) }

        /// It has ended, though nobody has asked how.
        var hasEnded: Bool {
            guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let state = text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst(2).first
            else { return true }
            return state == "Z"
        }
    }

    /// After this long a program or a wait counts as hanging. No test waits for it to be right, and none is to reach it on
    /// a busy machine.
    static let hangLimit: Duration = .seconds(600)

    /// Runs it to its end. If it hangs, it is killed.
    ///
    /// - Parameters:
    ///   - environment: all of it.
    ///   - during: what happens meanwhile.
    func run(
        _ arguments: [String], environment: [String: String], input: [UInt8] = [], workingFolder: URL? = nil,
        during: @escaping @Sendable (Running) async throws -> Void = { _ in }
    ) async throws -> Finished {
        try await within(Self.hangLimit, "\(path) \(arguments.joined(separator: " "))") {
            let result = try await Subprocess.run(
                .path(.init(path)), arguments: Arguments(arguments), environment: .custom(environment.keyed),
                workingDirectory: workingFolder.map { .init($0.path) }, input: .array(input),
                output: .bytes(limit: 64 << 20), error: .bytes(limit: 64 << 20)
            ) { execution in
                // An error must not leave the program running, for `run` waits for its end.
                await outcome {
                    try await during(Running(pid: execution.processIdentifier.value))
                } onError: {
                    try? execution.send(signal: .kill)
                }
            }
            try result.closureResult.get()
            return Finished(
                status: result.terminationStatus.number, stdout: String(decoding: result.standardOutput, as: UTF8.self),
                stderr: String(decoding: result.standardError, as: UTF8.self))
        }
    }

    /// Runs it while `body` does, which gets the first line of its standard output; then ends it by SIGTERM.
    func serving<R: Sendable>(
        _ arguments: [String], environment: [String: String], _ body: @escaping @Sendable (String) async throws -> R
    ) async throws -> R {
        let result = try await Subprocess.run(
            .path(.init(path)), arguments: Arguments(arguments), environment: .custom(environment.keyed), input: .none,
            output: .sequence, error: .discarded
        ) { execution in
            var iterator = execution.standardOutput.strings().makeAsyncIterator()
            let line = try? await iterator.next()
            let result = await outcome { try await body(line ?? "") }
            try? execution.send(signal: .terminate)
            return result
        }
        return try result.closureResult.get()
    }
}

extension TerminationStatus {
    fileprivate var number: Int32 {
        switch self {
        case .exited(let status): status
        case .signaled(let signal): -signal
        }
    }
}

extension [String: String] {
    fileprivate var keyed: [Environment.Key: String] {
        [Environment.Key: String](uniqueKeysWithValues: map { (Environment.Key(stringLiteral: $0.key), $0.value) })
    }
}

func outcome<R>(_ body: () async throws -> R, onError: () -> Void = {}) async -> Result<R, any Error> {
    do {
        return .success(try await body())
    } catch {
        onError()
        return .failure(error)
    }
}

/// - Throws: `Program.TookTooLong` when `body` needs more time; it is cancelled, which kills its programs.
func within<R: Sendable>(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> R
) async throws -> R {
    try await withThrowingTaskGroup(of: R.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw Program.TookTooLong(description: "not done after \(limit): \(what)")
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw CancellationError() }
        return first
    }
}
