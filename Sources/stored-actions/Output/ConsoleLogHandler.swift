import ArgumentParser
import Exporter
import Foundation
import Logging

/// Log lines on stderr: `2026-11-20T09:30:00Z info message key=value`, or one JSON object each.
struct ConsoleLogHandler: LogHandler {
    let console: Console
    let format: LogFormat
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    init(console: Console, format: LogFormat) {
        self.console = console
        self.format = format
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.map { (key: $0.key, value: "\($0.value)") }
        console.line(
            LogLine(level: event.level, message: "\(event.message)", fields: fields, at: Date()).text(format))
    }
}

/// Formats one log line, on one line for any message and fields. Pure.
struct LogLine {
    let level: Logger.Level
    let message: String
    let fields: [(key: String, value: String)]
    let time: String

    init(level: Logger.Level, message: String, fields: [(key: String, value: String)], at time: Date) {
        self.level = level
        self.message = message
        self.fields = fields.sorted { $0.key < $1.key }
        self.time = time.formatted(.iso8601)
    }

    func text(_ format: LogFormat) -> String {
        switch format {
        case .text:
            return ("\(time) \(level) \(message)" + fields.map { " \($0.key)=\($0.value)" }.joined()).shownOnOneLine
        case .json:
            var object = ["time": time, "level": "\(level)", "message": message]
            for field in fields where object[field.key] == nil { object[field.key] = field.value }
            // Texts can always be encoded.
            return (try? jsonText(object)) ?? text(.text)
        }
    }
}

/// A log level as an argument.
struct LogLevel: ExpressibleByArgument, Sendable {
    static let info = LogLevel(level: .info)

    var level: Logger.Level

    static var allValueStrings: [String] { Logger.Level.allCases.map(\.rawValue) }
    var defaultValueDescription: String { level.rawValue }
}

extension LogLevel {
    init?(argument: String) {
        guard let level = Logger.Level(rawValue: argument.lowercased()) else { return nil }
        self.init(level: level)
    }
}

extension LogFormat: ExpressibleByArgument {}
