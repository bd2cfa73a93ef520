import Foundation
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

enum LogFormat: String, CaseIterable, Sendable { case text, json }

/// stdout for the result alone, stderr for everything else: log lines, and on a terminal one live line below them.
final class Console: Sendable {
    private struct State {
        var live = ""
        var quiet = false
        var level = Logger.Level.info
        var format = LogFormat.text
    }

    private let state = Mutex(State())

    /// stderr is a terminal that can redraw a line.
    let isTerminal: Bool =
        isatty(STDERR_FILENO) == 1 && ![nil, "", "dumb"].contains(ProcessInfo.processInfo.environment["TERM"])

    func configure(_ options: OutputOptions) {
        state.withLock { state in
            state.quiet = options.quiet
            state.level = options.quiet ? .error : options.logLevel.level
            state.format = options.logFormat
        }
    }

    var showsProgress: Bool { state.withLock { !$0.quiet } }

    var logger: Logger {
        let (level, format) = state.withLock { ($0.level, $0.format) }
        var logger = Logger(label: "stored-actions") { _ in ConsoleLogHandler(console: self, format: format) }
        logger.logLevel = level
        return logger
    }

    // MARK: stdout

    func result(text: String) {
        Self.write(text.hasSuffix("\n") ? text : text + "\n", to: STDOUT_FILENO)
    }

    func result(_ json: any Encodable) {
        result(text: jsonText(json))
    }

    // MARK: stderr

    /// In the form of the log lines: whoever parses those must not trip over this one.
    func error(_ text: String) {
        switch state.withLock({ $0.format }) {
        case .text: line("stored-actions: \(text)")
        case .json:
            var logger = logger
            logger.logLevel = .error
            logger.error("\(text)")
        }
    }

    /// Prints a whole line above the live one.
    func line(_ text: String) {
        state.withLock { state in
            let clear = state.live.isEmpty ? "" : "\r\u{1B}[2K"
            Self.write(clear + text + "\n" + state.live, to: STDERR_FILENO)
        }
    }

    /// Redraws the live line, cut to the terminal's width. Nothing happens where there is no terminal.
    func live(_ text: String) {
        guard isTerminal else { return }
        state.withLock { state in
            guard !state.quiet else { return }
            state.live = String(text.prefix(max(20, Self.width() - 1)))
            Self.write("\r\u{1B}[2K" + state.live, to: STDERR_FILENO)
        }
    }

    func endLive() {
        state.withLock { state in
            guard !state.live.isEmpty else { return }
            state.live = ""
            Self.write("\r\u{1B}[2K", to: STDERR_FILENO)
        }
    }

    private static func width() -> Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Whole, whatever the descriptor takes at once. A reader that is gone is nobody's error here.
    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            if written < 0 && errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                if poll(&ready, 1, 10_000) > 0 { continue }
            }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}

/// One line, keys sorted, so that two outputs can be compared.
func jsonText(_ value: any Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
}

/// A write to a pipe whose reader is gone fails instead of ending the process.
func ignoreBrokenPipes() {
    signal(SIGPIPE, SIG_IGN)
}
