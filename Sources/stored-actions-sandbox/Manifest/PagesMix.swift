/// Which bulk reads a manifest holds: its chains take the shares in turn.
struct PagesMix: Sendable {
    struct Share: Equatable, Sendable {
        var cursors = BulkCursors.strings
        var course = BulkCourse.plain
        var times = 0
        var place = 0
        /// Of a type that is followed only where the manifest names it.
        var isRead = false
    }

    var shares: [Share]
    /// Pages of each chain; nil draws 2 to 6.
    var pages: UInt16?
    /// Rows of each page; nil draws 1 to 20.
    var rows: UInt16?

    /// Chains that come to their end, in each of the ways that there are.
    static let ordinary = PagesMix(shares: [
        Share(cursors: .strings), Share(cursors: .numbers), Share(cursors: .opaque),
        Share(cursors: .urls, isRead: true),
    ])

    /// Every course and every kind of cursors.
    static let all = PagesMix(
        shares: BulkCursors.allCases.map { Share(cursors: $0) }
            + BulkCourse.allCases.filter { $0 != .plain }.map { Share(course: $0, times: $0.usualTimes) })

    /// `NAME[:TIMES[:PAGE]]` of a course, or the name of a kind of cursors; nil for anything else.
    static func share(_ text: some StringProtocol) -> Share? {
        let words = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = words.dropFirst().map { Int($0) ?? -1 }
        guard let name = words.first, numbers.count <= 2, numbers.allSatisfy((0...0xF).contains) else { return nil }
        if let course = BulkCourse.allCases.first(where: { $0.name == name && $0 != .plain }) {
            let place = numbers.count > 1 ? numbers[1] : 0
            return Share(course: course, times: numbers.first ?? course.usualTimes, place: place)
        }
        guard numbers.isEmpty, let cursors = BulkCursors.allCases.first(where: { $0.name == name }) else { return nil }
        return Share(cursors: cursors)
    }
}
