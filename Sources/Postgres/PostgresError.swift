/// An error of the server, of libpq or of this target, with what was being done when it came.
package struct PostgresError: Error, Sendable, Equatable {
    package var kind: Kind
    /// What was being done, in words for a person: `query`, `copy into stored_actions.results`.
    package var operation: String
    /// The primary message. For class 22 it may quote the refused value: `description` leaves that out.
    package var message: String

    // The fields of the server's report; nil where it sent none, all nil when the error is not the server's.
    package var severity: String?
    package var sqlstate: String?
    package var detail: String?
    package var hint: String?
    /// Where in the statement, in characters from 1.
    package var position: Int?
    /// The server's `where`: for COPY the table, line and column.
    package var context: String?
    package var schema: String?
    package var table: String?
    package var column: String?
    package var dataType: String?
    package var constraint: String?
    package var sourceFile: String?
    package var sourceLine: Int?
    package var sourceRoutine: String?
    /// The time limit that ended the statement or the session, as PostgreSQL's settings name it, with its value where
    /// it is known: `statement_timeout = 500ms`.
    package var timeLimit: String?

    package init(_ kind: Kind, operation: String, message: String) {
        self.kind = kind
        self.operation = operation
        self.message = message
    }

    package var isTransient: Bool { kind.isTransient }
}

extension PostgresError: CustomStringConvertible {
    /// One line for people. It holds no value that was sent: `detail` and `context` stay out, and what a message of
    /// class 22 quotes is blanked (`invalid input syntax for type uuid: "…"`).
    package var description: String {
        var line = "\(operation): \(singleLine(publicMessage))"
        var notes: [String] = []
        if let sqlstate { notes.append("SQLSTATE \(sqlstate)") }
        if let table { notes.append("table \(schema.map { "\($0).\(table)" } ?? table)") }
        if let column { notes.append("column \(column)") }
        if let constraint { notes.append("constraint \(constraint)") }
        if !notes.isEmpty { line += " (\(notes.joined(separator: ", ")))" }
        if let timeLimit { line += "; the limit is \(timeLimit)" }
        if let hint { line += "; hint: \(singleLine(hint))" }
        return line
    }

    private var publicMessage: String {
        guard sqlstate?.hasPrefix("22") == true,
            let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""), first < last
        else { return message }
        return message[...first] + "…" + message[last...]
    }

    private func singleLine(_ text: String) -> String {
        // libpq indents its further lines by a tab.
        text.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix(while: \.isWhitespace) }.joined(separator: " ")
    }
}
