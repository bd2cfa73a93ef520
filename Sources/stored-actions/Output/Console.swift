import Exporter
import Foundation
import Logging
import Synchronization

import Glibc

enum LogFormat: String, CaseIterable, Sendable { case text, json }

/// stdout for the result alone, stderr for everything else: log lines, and on a terminal one live line below them.
///
/// With `--quiet` lines are held back until the end: they are printed only if something is wrong.
final class Console: Sendable {
    private let stdout: Int32
    private let stderr: Int32

    private struct State {
        var live = ""
        var quiet = false
        var held = HeldLines()
        var level = Logger.Level.info
        var format = LogFormat.text
    }

    private let state = Mutex(State())

    /// stderr is a terminal that can redraw a line.
    let isTerminal: Bool

    /// - Parameters: descriptors, which stay the caller's.
    init(stdout: Int32 = STDOUT_FILENO, stderr: Int32 = STDERR_FILENO) {
        self.stdout = stdout
        self.stderr = stderr
        isTerminal = isatty(stderr) == 1 && ![nil, "", "dumb"].contains(ProcessInfo.processInfo.environment["TERM"])
    }

    func configure(_ options: OutputOptions) {
        state.withLock { state in
            state.quiet = options.quiet
            state.level = options.logLevel.level
            state.format = options.logFormat
        }
    }

    var logger: Logger {
        let (level, format) = state.withLock { ($0.level, $0.format) }
        var logger = Logger(label: "stored-actions") { _ in ConsoleLogHandler(console: self, format: format) }
        logger.logLevel = level
        return logger
    }

    // MARK: stdout

    /// Prints what a subcommand has to say.
    ///
    /// - Returns: the exit status, which is another one if the result could not be written.
    func end(with report: Report, asJSON: Bool) -> Int32 {
        endLive()
        if report.exitStatus != ExitStatus.complete {
            releaseLines()
        } else if !asJSON, state.withLock(\.quiet) {
            return report.exitStatus
        }
        return asJSON
            ? end(report.exitStatus, printingJSON: report.json) : end(report.exitStatus, printing: report.text)
    }

    /// - Parameter json: nil if stdout stays empty.
    /// - Returns: the exit status.
    func end(with failure: Failure, json: (any Encodable & Sendable)?) -> Int32 {
        endLive()
        releaseLines()
        error(failure)
        return json.map { end(failure.status, printingJSON: $0) } ?? failure.status
    }

    /// - Parameter result: its line breaks stay; callers that insert foreign text into a line use `shownOnOneLine`.
    /// - Returns: the exit status.
    func end(_ status: Int32, printing result: String) -> Int32 {
        let shown = result.shownOnItsLines
        let code = writeResult(shown.hasSuffix("\n") ? shown : shown + "\n")
        guard code != 0 else { return status }
        return end(
            status, withoutResult: "the result could not be written to stdout: \(String(cString: strerror(code)))")
    }

    /// Prints one JSON object, or nothing if the value cannot be encoded.
    ///
    /// - Returns: the exit status.
    func end(_ status: Int32, printingJSON value: any Encodable) -> Int32 {
        do {
            return end(status, printing: try jsonText(value))
        } catch {
            return end(status, withoutResult: "the result could not be encoded as JSON, which is a bug: \(error)")
        }
    }

    private func end(_ status: Int32, withoutResult reason: String) -> Int32 {
        releaseLines()
        let failure = Failure(ExitStatus.withoutResult(status), reason)
        error(failure)
        return failure.status
    }

    /// - Returns: 0, or the error's number.
    private func writeResult(_ text: String) -> Int32 {
        let code = Self.write(text, to: stdout)
        guard code == 0 else { return code }
        // A network file system may say only when a descriptor is closed that there was no room.
        let copy = dup(stdout)
        guard copy >= 0, close(copy) != 0, errno != EINTR else { return 0 }
        return errno
    }

    // MARK: stderr

    /// In the form of the log lines: log parsers must not trip over this one.
    private func error(_ failure: Failure) {
        switch state.withLock({ $0.format }) {
        case .text: line("stored-actions: \(failure.shown)")
        case .json:
            var logger = logger
            logger.logLevel = .error
            logger.error("\(failure.text)")
        }
    }

    /// Prints whole lines above the live one. Line breaks stay.
    func line(_ text: String) {
        let shown = text.shownOnItsLines
        state.withLock { state in
            guard !state.quiet else { return state.held.append(shown) }
            let clear = state.live.isEmpty ? "" : "\r\u{1B}[2K"
            _ = Self.write(clear + shown + "\n" + state.live, to: stderr)
        }
    }

    /// Something is wrong: prints the lines that were held back, and from now on holds back none.
    private func releaseLines() {
        state.withLock { state in
            guard state.quiet else { return }
            state.quiet = false
            let format = state.format
            let lines = state.held.release { omitted in
                LogLine(level: .notice, message: "\(count(omitted, "line")) left out here", fields: [], at: Date())
                    .text(format)
            }
            if !lines.isEmpty { _ = Self.write(lines.map { $0 + "\n" }.joined(), to: stderr) }
        }
    }

    /// Redraws the live line, cut to the terminal's width. Does nothing without a terminal.
    func live(_ text: String) {
        guard isTerminal else { return }
        state.withLock { state in
            guard !state.quiet else { return }
            state.live = String(text.shownOnOneLine.prefix(max(20, width() - 1)))
            _ = Self.write("\r\u{1B}[2K" + state.live, to: stderr)
        }
    }

    func endLive() {
        state.withLock { state in
            guard !state.live.isEmpty else { return }
            state.live = ""
            _ = Self.write("\r\u{1B}[2K", to: stderr)
        }
    }

    private func width() -> Int {
        var size = winsize()
        return ioctl(stderr, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Writes all of the text, however little the descriptor accepts at once.
    ///
    /// - Returns: 0, or the error's number. On stderr that is not a reason to fail: its reader may be gone.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            if written < 0 && errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                if poll(&ready, 1, 10_000) > 0 { continue }
                return EAGAIN
            }
            guard written > 0 else { return written < 0 ? errno : EIO }
            bytes = bytes.dropFirst(written)
        }
        return 0
    }
}

/// One line, keys sorted, so that two outputs can be compared. Also what JSON itself lets pass, but a terminal should
/// not get, is written as an escape of JSON's.
///
/// - Throws: `EncodingError`, such as for a number that is not finite.
func jsonText(_ value: any Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    guard text.unicodeScalars.contains(where: \.isUnsafeToShow) else { return text }
    return text.unicodeScalars.map { scalar in
        // Unsafe characters occur in strings only, and each is one unit of UTF-16.
        let digits = String(scalar.value, radix: 16)
        return scalar.isUnsafeToShow
            ? "\\u" + String(repeating: "0", count: 4 - digits.count) + digits : String(scalar)
    }.joined()
}
