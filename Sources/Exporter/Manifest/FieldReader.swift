import ActionsAPI
import Foundation
import JSONText

/// Reads the keys of one run, or of one stored action, and gathers what is wrong with them.
struct FieldReader {
    /// What is wrong with a key; of the whole if the key is nil.
    struct Finding {
        var key: String?
        var message: String
    }

    /// How deep arrays and objects may lie within one another.
    static let depthLimit = 1_000

    /// The most characters of a label.
    static let labelLimit = 200

    private(set) var findings: [Finding] = []
    private var values: [String: FieldValue] = [:]

    /// The fields of a JSON object.
    /// - Parameter messages: what to say of certain unknown keys, by key.
    init(members: [(key: String, value: JSONValue)], known: [String], messages: [String: String] = [:]) {
        for (key, value) in members {
            if let message = messages[key] {
                add(key, message)
            } else if !known.contains(key) {
                add(key, unknownKeyMessage(key, noun: "key", known: known))
            } else if values.updateValue(.json(value), forKey: key) != nil {
                add(key, "duplicate key: remove one")
            }
        }
    }

    /// The fields of a CSV record, whose columns are known and unique. Blanks around an id do not matter.
    init(columns: [String], cells: [String]) {
        for (column, cell) in zip(columns, cells) {
            let isID = column == "stored_action_id" || column == "run_id"
            let cell = isID ? cell.trimmingCharacters(in: CharacterSet(charactersIn: " \t")) : cell
            if !cell.isEmpty { values[column] = .cell(cell) }
        }
    }

    func has(_ key: String) -> Bool { values[key] != nil }

    mutating func add(_ key: String?, _ message: String) {
        findings.append(Finding(key: key, message: message))
    }

    mutating func required(_ key: String) {
        if !has(key) { add(key, "missing: every run needs it") }
    }

    mutating func uuid(_ key: String) -> UUID? {
        values[key].flatMap { uuid($0, at: key) }
    }

    /// The elements of a non-empty array of UUIDs; nil for one that is invalid.
    mutating func uuids(_ key: String) -> [UUID?]? {
        guard let value = values[key] else { return nil }
        guard case .json(let array) = value, array.kind == .array else {
            add(key, "is \(value.kindText): write an array of UUIDs")
            return nil
        }
        let elements = array.elements()
        if elements.isEmpty { add(key, "is empty: name at least one run, or leave this entry out") }
        return elements.enumerated().map { uuid(.json($1), at: "\(key)[\($0)]") }
    }

    mutating func timestamp(_ key: String) -> Date? {
        guard let value = values[key] else { return nil }
        if let date = value.string.flatMap({ ISODateTime.parse($0, as: .rfc3339) }) { return date }
        if let text = value.string, ISODateTime.parse(text.withoutInvisible, as: .rfc3339) != nil {
            add(key, "\(glimpse(text)) \(invisibleMessage)")
            return nil
        }
        let shown = value.string.map(glimpse) ?? value.kindText
        add(
            key,
            "\(shown) is not an ISO 8601 date-time with a time zone (years 1970 to 9999): "
                + "write one such as \"2026-11-20T09:30:00Z\""
        )
        return nil
    }

    /// The settings that a run or a stored action may have.
    mutating func settings() -> ManifestSettings {
        var settings = ManifestSettings()
        settings.label = text("label", limit: Self.labelLimit, mayBeEmpty: true)
        settings.followPages = bool("follow_pages")
        settings.inputs = object("inputs")
        settings.actionType = text("action_type", limit: nil, mayBeEmpty: false)
        settings.maxPages = int("max_pages", in: PageSettings.maxPagesRange)
        settings.firstPage = text("first_page", limit: nil, mayBeEmpty: false)
        return settings
    }

    private mutating func uuid(_ value: FieldValue, at key: String) -> UUID? {
        if let id = value.string.flatMap(parseUUID) { return id }
        if let text = value.string, parseUUID(text.withoutInvisible) != nil {
            add(key, "\(glimpse(text)) \(invisibleMessage)")
            return nil
        }
        let shown = value.string.map(glimpse) ?? value.kindText
        add(key, "\(shown) is not a UUID: write one such as \"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\"")
        return nil
    }

    private mutating func text(_ key: String, limit: Int?, mayBeEmpty: Bool) -> String? {
        guard let value = values[key] else { return nil }
        guard let text = value.string else {
            // A number is the likeliest slip for a cursor, and its own digits are the fix.
            if case .json(let json) = value, json.kind == .number {
                let digits = shortened(String(decoding: json.bytes, as: UTF8.self), to: 40)
                add(key, "is a number: write \"\(digits)\", in quotes")
            } else {
                add(key, "is \(value.kindText): write a string")
            }
            return nil
        }
        if text.isEmpty, !mayBeEmpty {
            add(key, "is empty: write a text, or leave it out")
        } else if let limit, text.count > limit {
            add(key, "has \(text.count) characters: \(limit) are the most")
        } else if text.unicodeScalars.contains(where: isControl) {
            add(key, "holds a control character: remove it")
        } else {
            return text
        }
        return nil
    }

    private mutating func bool(_ key: String) -> Bool? {
        guard let value = values[key] else { return nil }
        if value.bool == nil { add(key, "is \(value.kindText): write true or false") }
        return value.bool
    }

    private mutating func int(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = values[key] else { return nil }
        if let number = value.int, range.contains(number) { return number }
        var shown = value.kindText
        if case .json(let json) = value, json.kind == .number {
            shown = shortened(String(decoding: json.bytes, as: UTF8.self), to: 40)
        }
        add(key, "is \(shown): write an integer from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    /// The object's bytes. Never shown in a message: inputs may hold confidential data.
    private mutating func object(_ key: String) -> [UInt8]? {
        guard let value = values[key] else { return nil }
        do {
            let json = try value.json()
            guard json.kind == .object else {
                add(key, "is \(FieldValue.json(json).kindText): write an object such as {\"list\": \"leads\"}")
                return nil
            }
            guard !isTooDeep(json) else {
                add(key, "nests deeper than \(Self.depthLimit) levels")
                return nil
            }
            return Array(json.bytes)
        } catch {
            add(
                key,
                "is not JSON: \(error.reason) (byte \(error.offset + 1) of the cell): "
                    + "write an object such as {\"list\": \"leads\"}"
            )
            return nil
        }
    }
}

/// Whether a value nests deeper than the limit; a scan is spared where it has not bytes enough for it.
func isTooDeep(_ value: JSONValue) -> Bool {
    value.bytes.count > 2 * FieldReader.depthLimit && value.depth > FieldReader.depthLimit
}
