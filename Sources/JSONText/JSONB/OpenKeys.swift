/// The keys met so far in the objects that are open, and which of them are the same text, in the nearest form at least:
/// keys that U+FFFD makes the same are.
///
/// An object costs no more than sorting its keys, whatever they are.
struct OpenKeys {
    private struct Key {
        /// Equal for equal keys.
        var fingerprint: UInt64
        /// Of the key as text, in the text or in `decoded`.
        var start: Int
        var count: Int
        var isDecoded: Bool
        /// Where the key stands, its quote included.
        var position: Int
    }

    private let text: UnsafeRawBufferPointer
    private var keys: [Key] = []
    /// The texts of the keys that were written otherwise.
    private var decoded: [UInt8] = []
    /// Where each open object's keys begin in `keys`.
    private var firsts: [Int] = []

    init(of text: UnsafeRawBufferPointer) {
        self.text = text
    }

    @inline(__always)
    mutating func openObject() {
        firsts.append(keys.count)
    }

    mutating func closeObject() {
        keys.removeLast(keys.count - firsts.removeLast())
    }

    /// - Parameter key: quotes included.
    @inline(__always)
    mutating func append(_ key: Range<Int>, isEncoded: Bool) {
        guard !isEncoded else { return appendDecoding(key) }
        let (start, count) = (key.lowerBound + 1, key.count - 2)
        keys.append(
            Key(
                fingerprint: fingerprint(of: UnsafeRawBufferPointer(rebasing: text[start..<(start + count)])),
                start: start, count: count, isDecoded: false, position: key.lowerBound))
    }

    private mutating func appendDecoding(_ key: Range<Int>) {
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
    func haveDuplicates() -> Bool {
        let first = firsts.last ?? 0
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

    /// The keys of the innermost object that stand more than once: the positions of each, in order.
    func duplicates() -> [[Int]] {
        var groups: [[Int]] = []
        var isInGroup = false
        for (key, next) in sorted(from: firsts.last ?? 0) {
            let isRepeated = isSame(key, next)
            if isRepeated {
                if !isInGroup { groups.append([key.position]) }
                groups[groups.count - 1].append(next.position)
            }
            isInGroup = isRepeated
        }
        return groups
    }

    /// Each key beside its successor in an order in which equal ones are neighbours and stand as in the text.
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

    /// Negative, zero or positive: any total order that tells different texts apart.
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

/// Of the first and the last eight bytes and the length: keys that share it are compared byte by byte.
@inline(__always)
private func fingerprint(of key: UnsafeRawBufferPointer) -> UInt64 {
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
