import Foundation
import Testing

/// What a program under way has written to its standard error so far.
struct Log: Sendable {
    fileprivate let file: URL

    var text: String { String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self) }

    func contains(_ words: String) -> Bool { text.contains(words) }
}

/// Runs of the program that take a shell.
extension Stage {
    /// Runs the program with its standard error in a file, so that `during` can wait for a line of it.
    func runLogged(
        _ arguments: [String], changes: [String: String?] = [:],
        during: @escaping @Sendable (Program.Running, Log) async throws -> Void
    ) async throws -> Program.Finished {
        let log = Log(file: folder.appending(path: "stderr-\(UUID().uuidString.prefix(8))"))
        var environment = environment
        for (name, value) in changes { environment[name] = value }
        // `exec` keeps the process ID, so signals reach the program.
        let finished = try await Program(path: "/bin/sh").run(
            ["-c", #"log=$1; shift; exec "$0" "$@" 2>"$log""#, tool.path, log.file.path] + arguments,
            environment: environment, workingFolder: folder
        ) { try await during($0, log) }
        return Program.Finished(
            status: finished.status, stdout: finished.stdout, stderr: finished.stderr + log.text)
    }

    /// Runs the command that a summary for people names, as a shell reads it, with `--json`.
    func continued(
        _ finished: Program.Finished, shell: String = "/bin/sh", sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Program.Finished {
        let command = try #require(
            finished.stdout.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
                .first { $0.hasPrefix("stored-actions export") },
            "\(finished.stdout)", sourceLocation: sourceLocation)
        let programs = URL(filePath: tool.path).deletingLastPathComponent().path
        var environment = environment
        environment["PATH"] = "\(programs):/usr/bin:/bin"
        return try await Program(path: shell).run(
            ["-c", command + " --json"], environment: environment, workingFolder: folder)
    }
}
