/// What a nearest form changes, for people, one line each.
struct ChangeNotes {
    private var first: [String] = []
    private var count = 0

    private static let limit = 100
    /// Bytes of a pointer, after which it is cut off: keys may be long.
    private static let pointerLimit = 1_000

    var lines: [String] {
        count > first.count ? first + ["… and \(count - first.count) more"] : first
    }

    mutating func add(_ change: String, at path: [JSONPointerStep], in text: UnsafeRawBufferPointer) {
        count += 1
        guard first.count < Self.limit else { return }
        first.append("\(path.isEmpty ? JSONBLimits.wholeValue : Self.pointer(path, in: text)): \(change)")
    }

    private static func pointer(_ path: [JSONPointerStep], in text: UnsafeRawBufferPointer) -> String {
        var pointer = ""
        for step in path where pointer.utf8.count <= pointerLimit {
            switch step {
            case .object: break
            case .element(let index): pointer += "/\(index)"
            case .key(let key):
                pointer += "/"
                append(JSONStringPieces(text, from: key.lowerBound + 1), of: text, to: &pointer)
            }
        }
        return pointer.utf8.count <= pointerLimit ? pointer : cut(pointer)
    }

    private static func append(
        _ key: JSONStringPieces, of text: UnsafeRawBufferPointer, to pointer: inout String
    ) {
        var pieces = key
        while pointer.utf8.count <= pointerLimit, let piece = pieces.next() {
            switch piece {
            case .text(let range):
                let head = String(decoding: text[range.prefix(pointerLimit + 1)], as: UTF8.self)
                for scalar in head.unicodeScalars { append(scalar, to: &pointer) }
            case .escaped(let scalar): append(scalar, to: &pointer)
            case .loneSurrogate, .brokenByte: append("\u{FFFD}", to: &pointer)
            }
        }
    }

    private static func append(_ scalar: Unicode.Scalar, to pointer: inout String) {
        switch scalar {
        case "\0": pointer += "\u{FFFD}"
        case "~": pointer += "~0"
        case "/": pointer += "~1"
        case _ where [.control, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory):
            let digits = String(scalar.value, radix: 16)
            pointer += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: pointer.unicodeScalars.append(scalar)
        }
    }

    private static func cut(_ pointer: String) -> String {
        var bytes = 0
        let head = pointer.unicodeScalars.prefix {
            bytes += UTF8.width($0)
            return bytes <= pointerLimit
        }
        return String(head) + "…"
    }
}

/// The position in an open array or object.
enum JSONPointerStep {
    /// Before the first key.
    case object
    /// The key, quotes included.
    case key(Range<Int>)
    /// From 0; -1 before the first element.
    case element(Int)
}
