import CZlib

/// The bytes packed by zlib.
///
/// - Parameter windowBits: 31 for gzip, 15 for zlib's own form, -15 for neither.
package func deflated(_ bytes: [UInt8], windowBits: Int32 = 31) -> [UInt8] {
    var (stream, bytes) = (z_stream(), bytes)
    deflateInit2_(
        &stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
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
