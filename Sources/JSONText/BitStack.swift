/// A stack of bits: what is open in a text, an eighth of a byte a level.
struct BitStack {
    private var words: [UInt64] = []
    private(set) var count = 0

    var top: Bool? {
        count == 0 ? nil : words[(count - 1) >> 6] & (1 << UInt64((count - 1) & 63)) != 0
    }

    mutating func push(_ bit: Bool) {
        let (word, mask) = (count >> 6, UInt64(1) << UInt64(count & 63))
        if word == words.count { words.append(0) }
        if bit { words[word] |= mask } else { words[word] &= ~mask }
        count += 1
    }

    mutating func pop() {
        count -= 1
    }
}
