/// Where the elements of a text's arrays are. It is noted while the text is validated, so that cutting the text needs no
/// second pass.
///
/// Of arrays that are members of the text's object, or of an object in it: there the API has its results. Not all need
/// be here: an outline takes a quarter of its text at most.
struct JSONOutline: Sendable {
    struct Element: Sendable {
        private let start: UInt32
        /// Twice the length, and whether it is exact.
        private let length: UInt32

        var range: Range<Int> { Int(start)..<Int(start) + Int(length >> 1) }
        /// `jsonb` holds the element exactly. Of others that is not known yet.
        var isExact: Bool { length & 1 == 1 }

        init(_ range: Range<Int>, isExact: Bool) {
            start = UInt32(range.lowerBound)
            length = UInt32(range.count) << 1 | (isExact ? 1 : 0)
        }
    }

    struct Array: Sendable {
        /// Brackets included.
        var range: Range<Int>
        /// In `elements`.
        var elements: Range<Int>
    }

    /// Beyond it a length has no bit left.
    static let longestText = Int(UInt32.max >> 1)

    private(set) var elements: [Element] = []
    /// In the order of the text.
    private var arrays: [Array] = []
    /// Of the array that is being read.
    private var start = 0
    private var firstElement = 0

    mutating func opens(arrayAt start: Int) {
        (self.start, firstElement) = (start, elements.count)
    }

    /// - Returns: false if there are so many that they are not kept: the array is not to be closed then.
    mutating func append(_ range: Range<Int>, isExact: Bool) -> Bool {
        let bytes = elements.count * MemoryLayout<Element>.size + arrays.count * MemoryLayout<Array>.size
        guard bytes <= 1024 + range.upperBound / 4 else {
            elements.removeLast(elements.count - firstElement)
            return false
        }
        elements.append(Element(range, isExact: isExact))
        return true
    }

    mutating func closes(arrayAt end: Int) {
        arrays.append(Array(range: start..<end, elements: firstElement..<elements.count))
    }

    /// The array that begins there.
    func array(at start: Int) -> Array? {
        var (low, high) = (0, arrays.count)
        while low < high {
            let middle = (low + high) / 2
            if arrays[middle].range.lowerBound < start { low = middle + 1 } else { high = middle }
        }
        return low < arrays.count && arrays[low].range.lowerBound == start ? arrays[low] : nil
    }
}
