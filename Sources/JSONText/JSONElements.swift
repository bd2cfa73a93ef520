/// An array's elements, each found when it is asked for: a large array costs no memory beside its text.
package struct JSONElements: Collection, Sendable {
    /// Where an element is in the text.
    package struct Index: Comparable, Sendable {
        fileprivate let range: Range<Int>

        package static func < (a: Index, b: Index) -> Bool { a.range.lowerBound < b.range.lowerBound }
    }

    package let startIndex: Index
    package let endIndex: Index
    private let text: [UInt8]

    /// The elements of the array that begins there.
    init(text: [UInt8], array start: Int) {
        self.text = text
        endIndex = Index(range: text.count..<text.count)
        startIndex = Self.index(text.withUnsafeBytes { JSONWalker($0).firstElement(ofArrayAt: start) }, in: text)
    }

    /// The value as the only element.
    package init(only value: JSONValue) {
        text = value.text
        startIndex = Index(range: value.range)
        endIndex = Index(range: value.range.upperBound..<value.range.upperBound)
    }

    /// No element.
    package init() {
        text = []
        startIndex = Index(range: 0..<0)
        endIndex = startIndex
    }

    package func index(after index: Index) -> Index {
        guard index.range.upperBound < endIndex.range.lowerBound else { return endIndex }
        return Self.index(text.withUnsafeBytes { JSONWalker($0).element(after: index.range.upperBound) }, in: text)
    }

    package subscript(index: Index) -> JSONValue { JSONValue(text: text, range: index.range) }

    /// The elements from there on as they were written, with what is between them but without the array's brackets.
    package func text(from index: Index) -> ArraySlice<UInt8> {
        var (next, end) = (index, index.range.lowerBound)
        while next < endIndex {
            end = next.range.upperBound
            next = self.index(after: next)
        }
        return text[index.range.lowerBound..<end]
    }

    private static func index(_ range: Range<Int>?, in text: [UInt8]) -> Index {
        Index(range: range ?? text.count..<text.count)
    }
}
