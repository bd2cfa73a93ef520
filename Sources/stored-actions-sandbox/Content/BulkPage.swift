/// One page of a bulk read, as its run id says: V is the number of pages, N is CCCCIIIIRRRR (chain, index, rows).
struct BulkPage: Equatable, Sendable {
    enum Cursors: String, Sendable {
        /// `"1"`, `"2"`, and null at the end.
        case strings
        /// `1`, `2`, and no `next_page` at the end.
        case numbers
        /// `"after:1"`, and "" at the end.
        case opaque
    }

    var cursors: Cursors
    var chain: UInt16
    /// From 0; past the last page there are no rows.
    var index: Int
    var pages: UInt16
    var rows: Int

    init(chain: UInt16, pages: UInt16, rows: UInt16, cursors: Cursors = .strings, index: UInt16 = 0) {
        self.cursors = cursors
        self.chain = chain
        self.index = Int(index)
        self.pages = pages
        self.rows = Int(rows)
    }

    init?(run id: CodedID) {
        switch id.scenario {
        case .bulkStrings: cursors = .strings
        case .bulkNumbers: cursors = .numbers
        case .bulkOpaque: cursors = .opaque
        default: return nil
        }
        chain = UInt16(truncatingIfNeeded: id.number >> 32)
        index = Int(UInt16(truncatingIfNeeded: id.number >> 16))
        pages = id.parameter
        rows = Int(UInt16(truncatingIfNeeded: id.number))
    }

    var isPastEnd: Bool { index >= Int(pages) }

    /// nil leaves the field out.
    var nextPage: JSON? {
        let next = index + 1
        if next < Int(pages) {
            return switch cursors {
            case .strings: .string("\(next)")
            case .numbers: .int(next)
            case .opaque: .string("after:\(next)")
            }
        }
        return switch cursors {
        case .strings: .null
        case .numbers: nil
        case .opaque: ""
        }
    }

    /// The run that holds this page; `ordinal` tells runs of the same page apart.
    func run(ordinal: UInt16 = 0) -> CodedID {
        let scenario: Scenario =
            switch cursors {
            case .strings: .bulkStrings
            case .numbers: .bulkNumbers
            case .opaque: .bulkOpaque
            }
        let number = UInt64(chain) << 32 | UInt64(index & 0xFFFF) << 16 | UInt64(rows & 0xFFFF)
        return CodedID(code: scenario.rawValue, parameter: pages, ordinal: ordinal, number: number)
    }

    var withoutOrdinal: CodedID { run() }

    /// The page that a cursor names; nil for one that this chain never gave out.
    func at(cursor: String) -> BulkPage? {
        let digits = cursor.hasPrefix("after:") ? cursor.dropFirst("after:".count) : cursor[...]
        guard let index = UInt16(digits) else { return nil }
        var page = self
        page.index = Int(index)
        return page
    }
}
