/// Lines that are held back until the exit status is known: the first and the last, if there are many.
struct HeldLines: Sendable {
    private static let ends = 500

    private var first: [String] = []
    private var last: [String] = []
    private var omitted = 0

    mutating func append(_ line: String) {
        if first.count < Self.ends { return first.append(line) }
        last.append(line)
        guard last.count == 2 * Self.ends else { return }
        omitted += Self.ends
        last.removeFirst(Self.ends)
    }

    /// Hands the lines over.
    ///
    /// - Parameter omission: the line that replaces that many lines.
    mutating func release(omission: (Int) -> String) -> [String] {
        defer { self = HeldLines() }
        return first + (omitted > 0 ? [omission(omitted)] : []) + last
    }
}
