import Foundation

/// A UUID as two words, which are copied and compared at once; `UUID` itself does both byte by byte.
struct PackedUUID: BitwiseCopyable, Equatable {
    /// The first eight bytes, and the last, in the order in which a UUID has them.
    let first: UInt64
    let last: UInt64

    @inline(__always)
    init(_ uuid: UUID) {
        (first, last) = unsafeBitCast(uuid.uuid, to: (UInt64, UInt64).self)
    }

    var uuid: UUID { UUID(uuid: unsafeBitCast((first, last), to: uuid_t.self)) }

    /// The UUID of 36 bytes of text, 8-4-4-4-12 hexadecimal digits in either case; nil if they are anything else.
    @inline(__always)
    init?(text: UnsafeRawBufferPointer) {
        let dash = UInt8(ascii: "-")
        guard text.count == 36, text[8] == dash, text[13] == dash, text[18] == dash, text[23] == dash else {
            return nil
        }
        func word(_ left: Int, _ right: Int) -> HexWord {
            let left = UInt32(littleEndian: text.loadUnaligned(fromByteOffset: left, as: UInt32.self))
            let right = UInt32(littleEndian: text.loadUnaligned(fromByteOffset: right, as: UInt32.self))
            return HexWord(digits: UInt64(left) | UInt64(right) << 32)
        }
        let (first, second, third, fourth) = (word(0, 4), word(9, 14), word(19, 24), word(28, 32))
        guard (first.wrong | second.wrong | third.wrong | fourth.wrong) == 0 else { return nil }
        self.first = (first.value | second.value << 32).littleEndian
        last = (third.value | fourth.value << 32).littleEndian
    }
}

/// Eight hexadecimal digits, read all at once, and the four bytes that they spell; the first digit and the first byte
/// are the lowest.
private struct HexWord {
    /// Bits are set where a digit is wrong.
    let wrong: UInt64
    let value: UInt64

    /// A byte below 0x80 plus 0x80 - n has the top bit set if it is at least n, and carries nothing into the next byte.
    @inline(__always)
    init(digits: UInt64) {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops = ones &* 0x80
        let ascii = digits & ~tops
        let lower = ascii | ones &* 0x20
        let isDigit = (ascii &+ ones &* (0x80 - 0x30)) & ~(ascii &+ ones &* (0x80 - 0x3A))
        let isLetter = (lower &+ ones &* (0x80 - 0x61)) & ~(lower &+ ones &* (0x80 - 0x67))
        wrong = (~(isDigit | isLetter) | digits) & tops
        let nibbles = (ascii & (ones &* 0x0F)) &+ ((isLetter & tops) >> 7) &* 9
        var pairs = (nibbles << 4 | nibbles >> 8) & 0x00FF_00FF_00FF_00FF
        pairs = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF
        value = (pairs | pairs >> 16) & 0xFFFF_FFFF
    }
}
