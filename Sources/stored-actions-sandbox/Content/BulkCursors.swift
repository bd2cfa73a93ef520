/// How a chain's cursors are spelt, and how it says that it has ended: KK, the last byte of its runs' code.
enum BulkCursors: UInt8, CaseIterable, Sendable {
    case strings = 0x00
    case numbers = 0x01
    case opaque = 0x02
    case urls = 0x03
    case long = 0x04
    case bigNumbers = 0x05
    case awkward = 0x06

    /// Lower-case words with hyphens, as `inputs` and `--pages-mix` have it.
    var name: String { hyphenated("\(self)") }

    /// The first group of the ids of a plain chain.
    var digits: String {
        String(BulkPage(chain: 0, pages: 1, rows: 0, cursors: self).run().description.prefix(8))
    }

    /// One line for a person who writes an id by hand.
    var meaning: String {
        switch self {
        case .strings: "\"1\"; the end is null"
        case .numbers: "the JSON number 1; at the end `next_page` is absent"
        case .opaque: "\"after:1\"; at the end `next_page` is empty"
        case .urls: "a URL; the end is null"
        case .long: "a string of 5000 characters; at the end `next_page` is absent"
        case .bigNumbers: "JSON numbers that a double does not hold exactly; the end is null"
        case .awkward: "a string with quotes, a line break and more than ASCII; at the end `next_page` is empty"
        }
    }

    /// The cursor of a page as a client has to send it, which is always a string.
    func text(_ index: Int) -> String {
        switch self {
        case .strings, .numbers: "\(index)"
        case .opaque: "after:\(index)"
        case .urls: "https://api.example.com/v2/orders?limit=100&after=\(index)&sort=a%20b#top"
        case .long: Self.padded("cursor-\(index)-")
        case .bigNumbers: "\(Self.base + index)"
        case .awkward: "\"p\" \\/ é🦉\n#\(index)"
        }
    }

    /// The cursor of a page as an answer holds it.
    func json(_ index: Int) -> JSON {
        switch self {
        case .numbers, .bigNumbers: .number(text(index))
        case .strings, .opaque, .urls, .long, .awkward: .string(text(index))
        }
    }

    /// nil leaves `next_page` out.
    var end: JSON? {
        switch self {
        case .strings, .urls, .bigNumbers: .null
        case .numbers, .long: nil
        case .opaque, .awkward: ""
        }
    }

    /// The page that a cursor names; nil for one that is not spelt exactly so. The first page is "0" everywhere.
    func index(_ cursor: String) -> Int? {
        if cursor == "0" { return 0 }
        let digits: Substring? =
            switch self {
            case .strings, .numbers, .bigNumbers: cursor[...]
            case .opaque: cursor.split(separator: ":").last
            case .urls: cursor.split(separator: "after=").last?.prefix { $0.isNumber }
            case .long: cursor.split(separator: "-", maxSplits: 2).dropFirst().first
            case .awkward: cursor.split(separator: "#").last
            }
        guard let digits, let number = Int(digits) else { return nil }
        // An overflow is not a page of this chain.
        let (index, overflow) = number.subtractingReportingOverflow(self == .bigNumbers ? Self.base : 0)
        return !overflow && (0...BulkPage.lastIndex).contains(index) && text(index) == cursor ? index : nil
    }

    /// Above 2^53, below 2^63.
    private static let base = 9_007_199_254_740_993_001

    private static func padded(_ head: String) -> String {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        return String((head + String(repeating: alphabet, count: 80)).prefix(5000))
    }
}
