import CZlib

/// What zlib makes of bytes, to try what unpacks them.
package enum Compression: Sendable {
    case gzip, zlib, rawDeflate

    package func pack(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var (stream, bytes) = (z_stream(), Array(bytes))
        let windowBits: Int32 =
            switch self {
            case .gzip: 15 + 16
            case .zlib: 15
            case .rawDeflate: -15
            }
        deflateInit2_(
            &stream, 9, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        let room = Int(deflateBound(&stream, UInt(bytes.count)))
        return bytes.withUnsafeMutableBufferPointer { input in
            [UInt8](unsafeUninitializedCapacity: room) { output, count in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(room)
                deflate(&stream, Z_FINISH)
                count = room - Int(stream.avail_out)
            }
        }
    }

    /// Text that gzip packs to about a hundredth: a block of random letters, over and over.
    package static func repetitive(_ count: Int) -> [UInt8] {
        var random = SplitMix(state: 1)
        let block = (0..<8_192).map { _ in UInt8(ascii: "a") + UInt8(random.next() % 16) }
        return (0..<count).map { block[$0 % block.count] }
    }
}
