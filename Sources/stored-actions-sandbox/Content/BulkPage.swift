/// One page of a bulk read, as its run id says: code `20b0CCKK` for the ``BulkCourse`` and ``BulkCursors`` of its
/// chain, V for its size, N = HHHHIIIIRRRR (chain, index, rows).
struct BulkPage: Hashable, Sendable {
    static let lastIndex = 0xFFFF

    var cursors: BulkCursors
    var course: BulkCourse
    /// T and A of the ``BulkCourse``, 0 to 15.
    var times: Int
    var place: Int
    var chain: UInt16
    /// From 0; pages past the last have no rows.
    var index: Int
    /// Up to 255 for all courses but the plain one.
    var pages: UInt16
    var rows: Int

    init(
        chain: UInt16, pages: UInt16, rows: UInt16, cursors: BulkCursors = .strings, course: BulkCourse = .plain,
        times: Int = 0, place: Int = 0, index: UInt16 = 0
    ) {
        self.cursors = cursors
        self.course = course
        self.times = min(max(times, 0), 0xF)
        self.place = min(max(place, 0), 0xF)
        self.chain = chain
        self.index = Int(index)
        self.pages = course == .plain ? pages : min(pages, 0xFF)
        self.rows = Int(rows)
    }

    init?(run id: CodedID) {
        guard id.code >> 16 == Self.family,
            let course = BulkCourse(rawValue: UInt8(truncatingIfNeeded: id.code >> 8)),
            let cursors = BulkCursors(rawValue: UInt8(truncatingIfNeeded: id.code))
        else { return nil }
        let isPlain = course == .plain
        self.init(
            chain: UInt16(truncatingIfNeeded: id.number >> 32),
            pages: isPlain ? id.parameter : id.parameter & 0xFF,
            rows: UInt16(truncatingIfNeeded: id.number),
            cursors: cursors,
            course: course,
            times: isPlain ? 0 : Int(id.parameter >> 12),
            place: isPlain ? 0 : Int(id.parameter >> 8 & 0xF),
            index: UInt16(truncatingIfNeeded: id.number >> 16)
        )
    }

    private static let family: UInt32 = 0x20B0

    /// The run that holds this page; `ordinal` distinguishes runs of the same page, and is 0 for a root.
    func run(ordinal: UInt16 = 0) -> CodedID {
        let code = Self.family << 16 | UInt32(course.rawValue) << 8 | UInt32(cursors.rawValue)
        let parameter = course == .plain ? pages : UInt16(times << 12 | place << 8) | pages
        let number = UInt64(chain) << 32 | UInt64(index & 0xFFFF) << 16 | UInt64(rows & 0xFFFF)
        return CodedID(code: code, parameter: parameter, ordinal: ordinal, number: number)
    }

    var withoutOrdinal: CodedID { run() }

    /// The page that the manifest names.
    var root: BulkPage { at(index: 0) }

    /// The page that a cursor names; nil for one that this chain never gave out.
    func at(cursor: String) -> BulkPage? {
        cursors.index(cursor).map(at(index:))
    }

    private func at(index: Int) -> BulkPage {
        var page = self
        page.index = index
        return page
    }

    /// nil leaves the field out.
    var nextPage: JSON? {
        nextIndex.map(cursors.json) ?? cursors.end
    }

    private var nextIndex: Int? {
        let next = index + 1
        if next > Self.lastIndex { return nil }
        if course == .zeroCursor && index == 0 { return 0 }
        if next < Int(pages) || course == .endless || course == .emptyTail { return next }
        return course == .circle ? min(place, index) : nil
    }

    /// How many objects this page holds.
    var size: Int {
        switch course {
        case .emptyPage: befalls(index) ? 0 : ordinarySize
        case .twoEmptyPages: befalls(index) || befalls(index - 1) ? 0 : ordinarySize
        case .endless: rows
        default: ordinarySize
        }
    }

    private var ordinarySize: Int { index < Int(pages) ? rows : 0 }

    private func befalls(_ index: Int) -> Bool {
        switch place {
        case 0: index == max(1, Int(pages) / 2)
        case 0xE: index == 0
        case 0xF: true
        default: index == place
        }
    }

    /// Whether the course befalls this page's n-th read, run or POST, n from 1.
    func isTroubled(_ unit: BulkCourse.Unit, _ ordinal: Int) -> Bool {
        // T says which form it is.
        if course == .startedForms { return unit == .posts }
        return course.unit == unit && befalls(index) && (times == 0 || ordinal <= times)
    }
}
