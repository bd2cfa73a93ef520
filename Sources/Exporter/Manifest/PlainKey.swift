/// A key of a run, as the fast path of reading knows it.
enum PlainKey: UInt16 {
    case storedActionID, runID, executedAt, label, followPages, inputs, actionType, maxPages, firstPage

    /// A column of CSV.
    init?(column: String) {
        guard let index = ManifestKeys.csvColumns.firstIndex(of: column) else { return nil }
        self.init(rawValue: UInt16(index))
    }

    /// The key that comes next in JSON, from behind its opening quote; consumes the closing quote too.
    @inline(__always)
    init?(quoted text: inout PlainText) {
        guard let (key, spelling) = Self.candidate(text.peek, text.peekSecond), text.take(spelling) else { return nil }
        self = key
    }

    /// The one key that begins with these bytes, in the spelling of JSON.
    @inline(__always)
    private static func candidate(_ first: UInt8?, _ second: UInt8?) -> (PlainKey, StaticString)? {
        switch first {
        case UInt8(ascii: "s"): (.storedActionID, "stored_action_id\"")
        case UInt8(ascii: "r"): (.runID, "run_id\"")
        case UInt8(ascii: "e"): (.executedAt, "executed_at\"")
        case UInt8(ascii: "l"): (.label, "label\"")
        case UInt8(ascii: "f") where second == UInt8(ascii: "o"): (.followPages, "follow_pages\"")
        case UInt8(ascii: "f"): (.firstPage, "first_page\"")
        case UInt8(ascii: "i"): (.inputs, "inputs\"")
        case UInt8(ascii: "a"): (.actionType, "action_type\"")
        case UInt8(ascii: "m"): (.maxPages, "max_pages\"")
        default: nil
        }
    }
}
