import Foundation
import JSONText

/// The fields of a run that `PlainRun` has read so far. None of them takes memory of its own.
struct PlainFields {
    private(set) var storedActionID: PackedUUID?
    private(set) var runID: PackedUUID?
    private(set) var executedAt: Date?
    private(set) var settings = PlainSettings()
    private var seen: UInt16 = 0

    /// Whether the value could be read that comes next in JSON; that of a key that occurs twice can't.
    @inline(__always)
    mutating func readValue(of key: PlainKey, _ text: inout PlainText) -> Bool {
        let bit: UInt16 = 1 << key.rawValue
        guard seen & bit == 0 else { return false }
        seen |= bit
        switch key {
        case .followPages, .maxPages: return readScalar(key, &text)
        case .inputs: return readInputs(&text)
        case .label where text.take("\"\""):
            settings.label = UnsafeRawBufferPointer(start: nil, count: 0)
            return true
        case .storedActionID, .runID, .executedAt, .label, .actionType, .firstPage:
            let quote = UInt8(ascii: "\"")
            return text.take(quote) && readText(key, before: quote, &text) && text.take(quote)
        }
    }

    /// Whether the cell could be read that comes next in CSV, in quotes or not. An empty one is an absent value.
    @inline(__always)
    mutating func readCell(of key: PlainKey, _ text: inout PlainText) -> Bool {
        let (comma, quote) = (UInt8(ascii: ","), UInt8(ascii: "\""))
        if text.isAtEnd || text.peek == comma { return true }
        let isQuoted = text.take(quote)
        if isQuoted, text.take(quote) { return true }
        let isRead =
            switch key {
            case .followPages, .maxPages: readScalar(key, &text)
            // The quotes of its keys are doubled.
            case .inputs: false
            case .storedActionID, .runID, .executedAt, .label, .actionType, .firstPage:
                readText(key, before: isQuoted ? quote : comma, &text)
            }
        return isRead && (!isQuoted || text.take(quote))
    }

    @inline(__always)
    private mutating func readText(_ key: PlainKey, before end: UInt8, _ text: inout PlainText) -> Bool {
        switch key {
        case .storedActionID:
            storedActionID = text.takeUUID()
            return storedActionID != nil
        case .runID:
            runID = text.takeUUID()
            return runID != nil
        case .executedAt:
            executedAt = text.takeDate()
            return executedAt != nil
        default:
            guard let characters = text.takeCharacters(before: end), !characters.isEmpty else { return false }
            return setText(characters, of: key)
        }
    }

    private mutating func setText(_ characters: UnsafeRawBufferPointer, of key: PlainKey) -> Bool {
        switch key {
        case .label:
            settings.label = characters
            return characters.count <= FieldReader.labelLimit
        case .actionType: settings.actionType = characters
        default: settings.firstPage = characters
        }
        return true
    }

    private mutating func readScalar(_ key: PlainKey, _ text: inout PlainText) -> Bool {
        if key == .followPages {
            settings.followPages = text.take("true") ? true : text.take("false") ? false : nil
            return settings.followPages != nil
        }
        // JSON has no number with a 0 in front.
        guard text.peek != UInt8(ascii: "0"), let number = text.takeDigits()?.number else { return false }
        settings.maxPages = number
        return PageSettings.maxPagesRange.contains(number)
    }

    private mutating func readInputs(_ text: inout PlainText) -> Bool {
        guard let object = text.takeObject(), (try? JSONValue(validating: Array(object))) != nil else { return false }
        settings.inputs = object
        return true
    }
}

/// The settings of a run, as they lie in its line; they are valid as long as the line's bytes.
struct PlainSettings {
    var label: UnsafeRawBufferPointer?
    var followPages: Bool?
    var inputs: UnsafeRawBufferPointer?
    var actionType: UnsafeRawBufferPointer?
    var maxPages: Int?
    var firstPage: UnsafeRawBufferPointer?

    @inline(__always)
    var isEmpty: Bool {
        label == nil && followPages == nil && inputs == nil && actionType == nil && maxPages == nil && firstPage == nil
    }

    /// Writes what `SpooledRun` reads back as a run's own settings.
    func write(to rest: inout RecordWriter) {
        rest.addRest(
            subindex: nil, label: label, followPages: followPages, inputs: inputs, actionType: actionType,
            maxPages: maxPages, firstPage: firstPage, otherSources: [])
    }
}
