/// Up to where a value is handed to PostgreSQL as `jsonb`: well below what it was seen to take, for its parser recurses
/// on a stack of 2 MB (10,000 levels pass, 20,000 fail), and both its parser and its format have limits that
/// depend on the shape of a value: 34 million small integers, 68 MB of text, fail.
package enum JSONBLimits {
    /// Arrays and objects within one another.
    package static let depth = 1_000
    /// Of the text. No text of this size makes more than six times as much `jsonb` (`1,` is twelve bytes there), which
    /// stays below the 256 MiB that an array or object can have.
    package static let bytes = 32 << 20

    static func notes(onDepth depth: Int, bytes: Int) -> [String] {
        var notes: [String] = []
        if depth > Self.depth {
            notes.append(
                "\(wholeValue): it is \(grouped(depth)) levels deep, jsonb is given up to \(grouped(Self.depth))")
        }
        if bytes > Self.bytes { notes.append(note(onBytes: bytes)) }
        return notes
    }

    static func note(onBytes count: Int, of what: String = "it") -> String {
        "\(wholeValue): \(what) has \(grouped(count)) bytes, jsonb is given up to \(grouped(bytes))"
    }

    static let noteOnGrowth =
        "\(wholeValue): the nearest form, with U+FFFD for what is not UTF-8, would be over 1.5 times as large"

    /// Replaces the empty JSON Pointer.
    static let wholeValue = "(the whole value)"

    private static func grouped(_ count: Int) -> String {
        var text = ""
        for (place, digit) in String(count).reversed().enumerated() {
            if place > 0, place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
