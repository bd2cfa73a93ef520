/// Renders the nearest form of a value that `jsonb` cannot hold: what needs no change keeps its bytes.
struct NearestForm {
    private(set) var notes = ChangeNotes()

    private let text: UnsafeRawBufferPointer
    private let range: Range<Int>
    private var output: [UInt8] = []
    /// Bytes of output after which the form is given up: where each broken byte becomes three, it could grow to three
    /// times the text.
    private let limit: Int
    /// Up to where the text is in the output, or left out.
    private var copied: Int
    private var path: [JSONPointerStep] = []

    init(of text: UnsafeRawBufferPointer, in range: Range<Int>) {
        self.text = text
        self.range = range
        limit = max(1 << 20, range.count * 3 / 2)
        copied = range.lowerBound
    }

    /// - Returns: nil if it is much larger than the value.
    mutating func render() -> [UInt8]? {
        let repeated = repeatedKeys()
        var tokens = JSONTokens(text, in: range)
        output.reserveCapacity(range.count)
        while let token = tokens.next() {
            if output.count > limit { return nil }
            if case .key(let key, let traits) = token {
                if repeated.isShadowed(key.lowerBound) {
                    copy(upTo: key.lowerBound)
                    copied = tokens.skipMember()
                    continue
                }
                path[path.count - 1] = .key(key)
                if traits.contains(.isDamaged) { replaceString(key, isKey: true) }
                if let count = repeated.count(ofLast: key.lowerBound) {
                    note("of \(count) values of this key the last one was kept")
                }
                continue
            }
            if case .close = token {
                path.removeLast()
                continue
            }
            if case .element(let index)? = path.last { path[path.count - 1] = .element(index + 1) }
            switch token {
            case .open(let isObject): path.append(isObject ? .object : .element(-1))
            case .string(let string, let traits):
                if traits.contains(.isDamaged) { replaceString(string, isKey: false) }
            case .number(let number):
                if !fitsNumeric(UnsafeRawBufferPointer(rebasing: text[number])) { quoteNumber(number) }
            case .key, .close, .word: break
            }
        }
        copy(upTo: range.upperBound)
        return output.count > limit ? nil : output
    }

    private func repeatedKeys() -> RepeatedKeys {
        var repeated = RepeatedKeys()
        var tokens = JSONTokens(text, in: range)
        var keys = OpenKeys(of: text)
        while let token = tokens.next() {
            switch token {
            case .key(let key, let traits): keys.append(key, isEncoded: traits.contains(.isEncoded))
            case .open(isObject: true): keys.openObject()
            case .close(isObject: true):
                keys.forEachDuplicate { repeated.add($0, number: $1) }
                keys.closeObject()
            case .open, .close, .string, .number, .word: break
            }
        }
        repeated.sort()
        return repeated
    }

    private mutating func copy(upTo position: Int) {
        output.append(contentsOf: text[copied..<position])
        copied = position
    }

    private mutating func replaceString(_ string: Range<Int>, isKey: Bool) {
        var (nulls, surrogates, bytes) = (0, 0, 0)
        var pieces = JSONStringPieces(text, from: string.lowerBound + 1)
        var start = pieces.position
        while let piece = pieces.next() {
            defer { start = pieces.position }
            switch piece {
            case .escaped("\0"): nulls += 1
            case .loneSurrogate: surrogates += 1
            case .brokenByte: bytes += 1
            case .text, .escaped: continue
            }
            if output.count > limit { return }
            copy(upTo: start)
            output.append(contentsOf: replacementCharacter)
            copied = pieces.position
        }
        let change = "\(isKey ? " in the key" : "") became U+FFFD"
        if nulls > 0 { note((nulls == 1 ? "" : "\(nulls) times ") + "\\u0000" + change) }
        if surrogates > 0 { note((surrogates == 1 ? "a lone surrogate" : "\(surrogates) lone surrogates") + change) }
        if bytes > 0 { note((bytes == 1 ? "1 byte that is" : "\(bytes) bytes that are") + " not UTF-8" + change) }
    }

    private mutating func quoteNumber(_ number: Range<Int>) {
        copy(upTo: number.lowerBound)
        output.append(UInt8(ascii: "\""))
        copy(upTo: number.upperBound)
        output.append(UInt8(ascii: "\""))
        let shown = 40
        let spelling = String(decoding: text[number].prefix(shown), as: UTF8.self)
        let name = number.count > shown ? "\(spelling)… of \(number.count) characters" : spelling
        note("the number \(name) is out of range and became a string")
    }

    private mutating func note(_ change: String) {
        notes.add(change, at: path, in: text)
    }
}

/// The keys that occur more than once in their object, by position: however many there are, they take less room
/// than their text.
private struct RepeatedKeys {
    /// Those that occur again later.
    private var shadowed: [UInt32] = []
    /// The others, with the number of times that each key occurs.
    private var lasts: [(position: UInt32, count: UInt32)] = []

    /// - Parameter number: of the key among those of its text, which come one after the other, from 1 on.
    mutating func add(_ position: Int, number: Int) {
        if number > 1, let before = lasts.popLast() { shadowed.append(before.position) }
        lasts.append((UInt32(position), UInt32(number)))
    }

    mutating func sort() {
        shadowed.sort()
        lasts.sort { $0.position < $1.position }
    }

    func isShadowed(_ position: Int) -> Bool {
        index(of: UInt32(position), in: shadowed.count) { shadowed[$0] } != nil
    }

    func count(ofLast position: Int) -> Int? {
        index(of: UInt32(position), in: lasts.count) { lasts[$0].position }.map { Int(lasts[$0].count) }
    }

    private func index(of wanted: UInt32, in count: Int, _ position: (Int) -> UInt32) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if position(middle) < wanted { low = middle + 1 } else { high = middle }
        }
        return low < count && position(low) == wanted ? low : nil
    }
}
