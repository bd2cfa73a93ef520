import ExportCore
import Foundation

/// A run read the fast way, from a line of the ordinary form: known keys, each once, plain ASCII strings without
/// escapes, UUIDs and dates as they are usually spelled.
///
/// The grammar is that of `RunFields`, and this never says what is wrong: what is not read here goes to `RunFields`, the
/// only one to refuse anything. Whatever is read here, `RunFields` reads the same (`PlainRunTests`).
struct PlainRun {
    let storedActionID: PackedUUID
    let runID: PackedUUID
    let executedAt: Date?
    /// Valid as long as the bytes that the run was read from.
    let settings: PlainSettings

    /// A line of JSON Lines, without its line end.
    @inline(__always)
    init?(line bytes: UnsafeRawBufferPointer) {
        var text = PlainText(bytes)
        text.skipBlanks()
        self.init(object: &text)
        text.skipBlanks()
        guard text.isAtEnd else { return nil }
    }

    /// The JSON object that comes next, on one line.
    @inline(__always)
    init?(object text: inout PlainText) {
        guard text.take(UInt8(ascii: "{")) else { return nil }
        var fields = PlainFields()
        repeat {
            text.skipBlanks()
            guard text.take(UInt8(ascii: "\"")), let key = PlainKey(quoted: &text) else { return nil }
            text.skipBlanks()
            guard text.take(UInt8(ascii: ":")) else { return nil }
            text.skipBlanks()
            guard fields.readValue(of: key, &text) else { return nil }
            text.skipBlanks()
        } while text.take(UInt8(ascii: ","))
        guard text.take(UInt8(ascii: "}")) else { return nil }
        self.init(fields)
    }

    /// A record of CSV, without its line end.
    @inline(__always)
    init?(record bytes: UnsafeRawBufferPointer, columns: [PlainKey]) {
        var text = PlainText(bytes)
        var fields = PlainFields()
        for index in columns.indices {
            guard index == 0 || text.take(UInt8(ascii: ",")), fields.readCell(of: columns[index], &text) else {
                return nil
            }
        }
        guard text.isAtEnd else { return nil }
        self.init(fields)
    }

    /// Nil if a key is missing that every run needs.
    @inline(__always)
    private init?(_ fields: PlainFields) {
        guard let storedActionID = fields.storedActionID, let runID = fields.runID else { return nil }
        self.storedActionID = storedActionID
        self.runID = runID
        executedAt = fields.executedAt
        settings = fields.settings
    }

    var key: RunKey { RunKey(storedActionID: storedActionID.uuid, runID: runID.uuid) }
}
