/// An array's elements, each found when it is asked for: a large array costs little memory beside its text.
package struct JSONElements: Collection, Sendable {
    /// Where an element is in the text.
    package struct Index: Comparable, Sendable {
        fileprivate let range: Range<Int>
        /// In the text's outline, if that has the array.
        fileprivate var number: Int?

        package static func < (a: Index, b: Index) -> Bool { a.range.lowerBound < b.range.lowerBound }
        package static func == (a: Index, b: Index) -> Bool { a.range == b.range }
    }

    package let startIndex: Index
    package let endIndex: Index
    private let text: ValidatedText
    /// Of the text's outline; nil if the array is not in it.
    private let outlined: Range<Int>?

    /// The elements of the array that begins there.
    init(text: ValidatedText, array start: Int) {
        self.text = text
        endIndex = Self.end(of: text)
        outlined = text.elements(ofArrayAt: start)
        if let first = outlined?.first {
            startIndex = Index(range: text.element(first).range, number: first)
        } else {
            startIndex = text.walk { $0.firstElement(ofArrayAt: start) }.map { Index(range: $0) } ?? endIndex
        }
    }

    /// The value as the only element.
    package init(only value: JSONValue) {
        text = value.text
        outlined = nil
        startIndex = Index(range: value.range)
        endIndex = Index(range: value.range.upperBound..<value.range.upperBound)
    }

    /// No element.
    package init() {
        text = .empty
        outlined = nil
        endIndex = Self.end(of: text)
        startIndex = endIndex
    }

    private static func end(of text: ValidatedText) -> Index { Index(range: text.bytes.count..<text.bytes.count) }

    package func index(after index: Index) -> Index {
        if let outlined, let number = index.number {
            let next = number + 1
            return next < outlined.upperBound ? Index(range: text.element(next).range, number: next) : endIndex
        }
        guard index.range.upperBound < endIndex.range.lowerBound else { return endIndex }
        return text.walk { $0.element(after: index.range.upperBound) }.map { Index(range: $0) } ?? endIndex
    }

    package subscript(index: Index) -> JSONValue {
        JSONValue(
            text: text, range: index.range, isKnownToBeExact: index.number.map { text.element($0).isExact } ?? false)
    }

    /// How many there are, and the bytes of all.
    package var size: (count: Int, bytes: Int) {
        if let outlined { return (outlined.count, outlined.reduce(0) { $0 + text.element($1).range.count }) }
        return indices.reduce((0, 0)) { ($0.0 + 1, $0.1 + $1.range.count) }
    }

    /// The elements from there on as they were written, with what is between them but without the array's brackets.
    package func text(from index: Index) -> ArraySlice<UInt8> {
        var (next, end) = (index, index.range.lowerBound)
        while next < endIndex {
            end = next.range.upperBound
            next = self.index(after: next)
        }
        return text.bytes[index.range.lowerBound..<end]
    }
}
