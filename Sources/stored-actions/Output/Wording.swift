import Exporter
import Foundation

/// `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
func spoken(_ duration: Duration) -> String {
    let seconds = max(0, duration.components.seconds)
    switch seconds {
    case ..<60: return "\(seconds) s"
    case ..<3600: return "\(seconds / 60) min" + (seconds % 60 > 0 ? " \(seconds % 60) s" : "")
    case ..<86_400: return "\(seconds / 3600) h" + (seconds / 60 % 60 > 0 ? " \(seconds / 60 % 60) min" : "")
    default: return "\(seconds / 86_400) d" + (seconds / 3600 % 24 > 0 ? " \(seconds / 3600 % 24) h" : "")
    }
}

/// As a POSIX shell wants it.
func shellQuoted(_ argument: String) -> String {
    let plain = argument.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || Array("_-./,:=@%+".utf8).contains(byte)
    }
    if argument.unicodeScalars.contains(where: \.isUnsafeToShow) { return ansiQuoted(argument) }
    return plain && !argument.isEmpty ? argument : "'" + argument.replacing("'", with: #"'\''"#) + "'"
}

/// `$'…'`, which shells read escapes in, so that a name with control characters can be shown and pasted.
private func ansiQuoted(_ argument: String) -> String {
    let characters = argument.unicodeScalars.map { scalar in
        switch scalar {
        case "'", "\\": "\\\(scalar)"
        case _ where scalar.isUnsafeToShow:
            String(scalar).utf8.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        default: String(scalar)
        }
    }
    return "$'\(characters.joined())'"
}

/// Rows in columns that are as wide as they need to be. A cell is one line, with escapes for what is unsafe to show.
///
/// - Parameter numbersRight: whether numbers are right-aligned.
func aligned(_ rows: [[String]], indent: String = "", numbersRight: Bool = true) -> String {
    let rows = rows.map { $0.map(\.shownOnOneLine) }
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
        rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    let lines = rows.map { row in
        let cells = row.enumerated().map { column, cell in
            let space = String(repeating: " ", count: widths[column] - cell.count)
            return numbersRight && cell.first?.isNumber == true && cell.allSatisfy { $0.isNumber || $0 == "," }
                ? space + cell : cell + space
        }
        let line = indent + cells.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
    return lines.joined(separator: "\n")
}
