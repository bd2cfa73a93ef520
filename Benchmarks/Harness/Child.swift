import Glibc

/// A program that was started, and must be waited for.
struct Child {
    /// What a program took, by `wait4`.
    struct Usage {
        /// As a shell tells it: 128 and the signal's number if one ended the program.
        var status: Int32
        /// Seconds from its start to its end.
        var wall: Double
        /// Seconds, user and system.
        var cpu: Double
        /// Bytes. Linux also counts the peak of the process that starts the program, so the harness must stay small.
        var peak: Double
    }

    let pid: pid_t
    let startedAt: Double
    private let command: String

    /// - Parameters:
    ///   - environment: added to this process's own.
    ///   - input, output: files that take the place of standard input and output.
    init(
        _ command: [String], environment: [String: String] = [:], input: String = "/dev/null",
        output: String = "/dev/null"
    ) {
        self.command = command.joined(separator: " ")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        let arguments = command.map { strdup($0) } + [nil]
        let variables = Self.variables(environment).map { strdup($0) } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var child: pid_t = 0
        startedAt = monotonicSeconds()
        let error = posix_spawnp(&child, command[0], &actions, nil, arguments, variables)
        guard error == 0 else { fail("cannot start \(command[0]): \(String(cString: strerror(error)))") }
        pid = child
    }

    func wait() -> Usage {
        var (status, usage) = (Int32(0), rusage())
        while wait4(pid, &status, 0, &usage) < 0 { guard errno == EINTR else { fail("wait4 failed") } }
        let signal = status & 0x7f
        return Usage(
            status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, wall: monotonicSeconds() - startedAt,
            cpu: Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime), peak: Double(usage.ru_maxrss) * 1024)
    }

    /// Waits, and ends the benchmark if the program failed.
    @discardableResult
    func waitForSuccess() -> Usage {
        let usage = wait()
        guard usage.status == 0 else { fail("exit status \(usage.status): \(command)") }
        return usage
    }

    func stop() { kill(pid, SIGTERM) }

    private static func variables(_ added: [String: String]) -> [String] {
        var variables: [String] = []
        var next = environ
        while let entry = next.pointee {
            let variable = String(cString: entry)
            if added[String(variable.prefix { $0 != "=" })] == nil { variables.append(variable) }
            next += 1
        }
        return variables + added.map { "\($0)=\($1)" }
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
}

func monotonicSeconds() -> Double {
    var instant = timespec()
    clock_gettime(CLOCK_MONOTONIC, &instant)
    return Double(instant.tv_sec) + Double(instant.tv_nsec) / 1e9
}

/// Prints a line of progress. Standard output carries the result alone.
func note(_ message: String) {
    let line = message + "\n"
    _ = write(STDERR_FILENO, line, line.utf8.count)
}

func fail(_ message: String) -> Never {
    note("bench: \(message)")
    exit(1)
}
