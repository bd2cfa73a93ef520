/// The keys met so far in the objects that are open, and which of them are the same text, in the nearest form at least:
/// keys that U+FFFD makes the same are.
///
/// An object costs no more than sorting its keys, whatever they are. An object may consist of keys alone, at five bytes
/// each, so of all but the last some thousand keys only the places are kept, in four.
struct OpenKeys {
    private struct Key {
        /// Equal for equal keys.
        var fingerprint: UInt64
        /// Of the key as text, in the text or in `decoded`.
        var start: Int
        var count: Int
        var isDecoded: Bool
        /// Where the key begins, its quote included.
        var position: Int
    }

    /// So many keys, or bytes of decoded ones, are kept ready to be compared.
    private static let limit = 1 << 16

    private let text: UnsafeRawBufferPointer
    /// Where the keys before those in `keys` begin in the text, which has at most `JSONBLimits.bytes`.
    private var places: [UInt32] = []
    private var keys: [Key] = []
    /// The texts of those of `keys` that were written otherwise.
    private var decoded: [UInt8] = []
    /// How many keys, `places` and `keys` together, stood before each open object's.
    private var firsts: [Int] = []

    init(of text: UnsafeRawBufferPointer) {
        self.text = text
    }

    @inline(__always)
    mutating func openObject() {
        firsts.append(places.count + keys.count)
    }

    mutating func closeObject() {
        let first = firsts.removeLast()
        if first < places.count {
            places.removeLast(places.count - first)
            keys.removeAll(keepingCapacity: true)
        } else {
            keys.removeLast(keys.count - (first - places.count))
        }
    }

    /// - Parameter key: quotes included.
    @inline(__always)
    mutating func append(_ key: Range<Int>, isEncoded: Bool) {
        if keys.count >= Self.limit || decoded.count >= Self.limit { moveToPlaces() }
        guard !isEncoded else { return appendDecoding(key) }
        let (start, count) = (key.lowerBound + 1, key.count - 2)
        keys.append(
            Key(
                fingerprint: fingerprint(of: UnsafeRawBufferPointer(rebasing: text[start..<(start + count)])),
                start: start, count: count, isDecoded: false, position: key.lowerBound))
    }

    private mutating func moveToPlaces() {
        places.append(contentsOf: keys.lazy.map { UInt32($0.position) })
        keys.removeAll(keepingCapacity: true)
        decoded.removeAll(keepingCapacity: true)
    }

    private mutating func appendDecoding(_ key: Range<Int>) {
        if key.count > Self.limit {
            moveToPlaces()
            return places.append(UInt32(key.lowerBound))
        }
        let start = decoded.count
        appendDecoded(
            JSONStringPieces(text, from: key.lowerBound + 1), of: text, nulBecomes: replacementCharacter, to: &decoded)
        let fingerprint = decoded[start...].withUnsafeBytes { JSONText.fingerprint(of: $0) }
        keys.append(
            Key(
                fingerprint: fingerprint, start: start, count: decoded.count - start, isDecoded: true,
                position: key.lowerBound))
    }

    /// Of the innermost object.
    mutating func hasDuplicates() -> Bool {
        let first = (firsts.last ?? 0) - places.count
        guard first >= 0 else {
            var found = false
            forEachDuplicate { _, _ in found = true }
            return found
        }
        guard keys.count - first <= 32 else { return sorted(from: first).contains { isSame($0, $1) } }
        return keys.withUnsafeBufferPointer { keys in
            for index in first..<keys.count {
                let key = keys[index]
                for other in first..<index where keys[other].fingerprint == key.fingerprint {
                    if isSame(keys[other], key) { return true }
                }
            }
            return false
        }
    }

    /// Reports the positions of the innermost object's duplicate keys: those of each text one after
    /// the other, in the order of the text, with the number of the key among them, from 1 on.
    mutating func forEachDuplicate(_ body: (_ position: Int, _ number: Int) -> Void) {
        var groups = EqualNeighbours()
        let firstKey = (firsts.last ?? 0) - places.count
        guard firstKey < 0 else {
            for (key, next) in sorted(from: firstKey) {
                groups.add(key.position, next.position, areEqual: isSame(key, next), body)
            }
            return
        }
        moveToPlaces()
        let (text, first) = (text, firsts.last ?? 0)
        places.withUnsafeMutableBufferPointer { places in
            // In place: there may be as much of this as there is text.
            var own = UnsafeMutableBufferPointer(rebasing: places[first...])
            own.sort { a, b in
                let order = compareStrings(in: text, Int(a), Int(b))
                return order == 0 ? a < b : order < 0
            }
            for (place, next) in zip(own, own.dropFirst()) {
                let areEqual = compareStrings(in: text, Int(place), Int(next)) == 0
                groups.add(Int(place), Int(next), areEqual: areEqual, body)
            }
        }
    }

    /// Each key beside its successor in an order in which equal ones are neighbours, in the order of the text.
    private func sorted(from first: Int) -> Zip2Sequence<[Key], ArraySlice<Key>> {
        let sorted = keys[first...].sorted { a, b in
            if a.fingerprint != b.fingerprint { return a.fingerprint < b.fingerprint }
            let order = compare(a, b)
            return order == 0 ? a.position < b.position : order < 0
        }
        return zip(sorted, sorted.dropFirst())
    }

    private func isSame(_ a: Key, _ b: Key) -> Bool {
        a.fingerprint == b.fingerprint && compare(a, b) == 0
    }

    /// Negative, zero or positive: any total order that distinguishes different texts.
    private func compare(_ a: Key, _ b: Key) -> Int {
        guard a.count == b.count else { return a.count - b.count }
        return decoded.withUnsafeBytes { decoded in
            let (first, second) = (a.isDecoded ? decoded : text, b.isDecoded ? decoded : text)
            for index in 0..<a.count {
                let (left, right) = (first[a.start + index], second[b.start + index])
                if left != right { return Int(left) - Int(right) }
            }
            return 0
        }
    }
}

/// Of a row in which equal keys are neighbours, those that have an equal one.
private struct EqualNeighbours {
    /// Of the group that the last key belongs to; 0 if it is alone so far.
    private var count = 0

    mutating func add(
        _ key: Int, _ next: Int, areEqual: Bool, _ report: (_ position: Int, _ number: Int) -> Void
    ) {
        guard areEqual else {
            count = 0
            return
        }
        if count == 0 {
            report(key, 1)
            count = 1
        }
        count += 1
        report(next, count)
    }
}

/// The order of two strings of the text, of which the opening quotes are there, by the bytes that `appendDecoded` would
/// make of them. Nothing is copied, however long they are.
private func compareStrings(in text: UnsafeRawBufferPointer, _ a: Int, _ b: Int) -> Int {
    var (left, right) = (DecodedBytes(text, from: a + 1), DecodedBytes(text, from: b + 1))
    while true {
        let (first, second) = (left.next(), right.next())
        guard let first, let second else { return first == nil ? (second == nil ? 0 : -1) : 1 }
        if first != second { return Int(first) - Int(second) }
    }
}

/// The bytes of a string's nearest form, one after the other.
private struct DecodedBytes {
    private let text: UnsafeRawBufferPointer
    private var pieces: JSONStringPieces
    private var plain: Range<Int> = 0..<0
    /// The bytes of one character, the next one lowest.
    private var encoded: UInt32 = 0
    private var encodedCount = 0

    init(_ text: UnsafeRawBufferPointer, from position: Int) {
        self.text = text
        pieces = JSONStringPieces(text, from: position)
    }

    @inline(__always)
    mutating func next() -> UInt8? {
        while true {
            if let position = plain.first {
                plain = (position + 1)..<plain.upperBound
                return text[position]
            }
            if encodedCount > 0 {
                defer { (encoded, encodedCount) = (encoded >> 8, encodedCount - 1) }
                return UInt8(truncatingIfNeeded: encoded)
            }
            switch pieces.next() {
            case .text(let range): plain = range
            case .escaped(let scalar) where scalar != "\0":
                for (index, byte) in (UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter).enumerated() {
                    encoded |= UInt32(byte) << (8 * UInt32(index))
                    encodedCount += 1
                }
            case .escaped, .loneSurrogate, .brokenByte: (encoded, encodedCount) = (0xBDBFEF, 3)
            case nil: return nil
            }
        }
    }
}

/// Of the first and the last eight bytes and the length: keys that share it are compared byte by byte.
@inline(__always)
func fingerprint(of key: UnsafeRawBufferPointer) -> UInt64 {
    func word<Word: FixedWidthInteger>(at offset: Int, as type: Word.Type) -> UInt64 {
        UInt64(truncatingIfNeeded: key.loadUnaligned(fromByteOffset: offset, as: type))
    }
    let (first, last): (UInt64, UInt64)
    switch key.count {
    case 8...: (first, last) = (word(at: 0, as: UInt64.self), word(at: key.count - 8, as: UInt64.self))
    case 4..<8: (first, last) = (word(at: 0, as: UInt32.self), word(at: key.count - 4, as: UInt32.self))
    case 2..<4: (first, last) = (word(at: 0, as: UInt16.self), word(at: key.count - 2, as: UInt16.self))
    case 1: (first, last) = (UInt64(key[0]), 0)
    default: (first, last) = (0, 0)
    }
    return (first &* 0x9E37_79B9_7F4A_7C15) ^ (last &* 0xC2B2_AE3D_27D4_EB4F) &+ UInt64(key.count)
}
