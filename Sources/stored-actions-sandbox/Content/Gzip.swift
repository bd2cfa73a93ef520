/// Gzip (RFC 1952) without compression: stored deflate blocks, enough to try a client's decoder without a C library.
enum Gzip {
    static func stored(_ bytes: [UInt8]) -> [UInt8] {
        // Deflate, no flags, no time, unknown system.
        var out: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]
        var start = 0
        repeat {
            let end = min(start + 0xFFFF, bytes.count)
            out.append(end == bytes.count ? 1 : 0)
            let length = UInt16(end - start)
            out += littleEndian(length) + littleEndian(~length)
            out += bytes[start..<end]
            start = end
        } while start < bytes.count
        return out + littleEndian(crc32(bytes)) + littleEndian(UInt32(truncatingIfNeeded: bytes.count))
    }

    static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8) }
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? 0xEDB8_8320 ^ (crc >> 1) : crc >> 1 }
    }

    private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
