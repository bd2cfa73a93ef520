import Inflate
import Support
import Testing

@Suite("Inflate") struct InflaterTests {
    private let text = Array(String(repeating: "every row exactly once; ", count: 4_000).utf8)
    private static let formats: [(Inflater.Format, Compression)] = [
        (.gzip, .gzip), (.zlib, .zlib), (.rawDeflate, .rawDeflate),
    ]

    @Test("A stream is unpacked in pieces, however its input is cut", arguments: [1, 7, 4_096], [1, 10, 1 << 20])
    func pieces(cut: Int, limit: Int) throws {
        for (format, compression) in Self.formats {
            let sample = limit == 1 ? Array(text.prefix(2_000)) : text
            let result = try unpack(compression.pack(sample), format, cut: cut, limit: limit)
            #expect(result.bytes == sample)
            #expect(result.isComplete)
        }
    }

    @Test("Members of gzip follow one another, and zeros may pad them")
    func members() throws {
        let two = Compression.gzip.pack([1, 2]) + Compression.gzip.pack([3]) + [0, 0, 0]
        let result = try unpack(two, .gzip, cut: 5, limit: 64)
        #expect(result.bytes == [1, 2, 3])
        #expect(result.isComplete)
    }

    @Test("A stream that ends early is not complete")
    func cut() throws {
        let result = try unpack(Compression.gzip.pack(text).dropLast(9), .gzip, cut: 64, limit: 4_096)
        #expect(!result.isComplete)
    }

    @Test("What is damaged is refused", arguments: [3, 20, -6])
    func damage(at index: Int) throws {
        var bytes = Compression.gzip.pack(text)
        bytes[index < 0 ? bytes.count + index : index] ^= 0xFF
        #expect(throws: InflateError.self) { try unpack(bytes, .gzip, cut: 64, limit: 4_096) }
    }

    @Test("What follows a stream's end is refused, whatever the format")
    func trailing() throws {
        for (format, compression) in Self.formats {
            let bytes = compression.pack([1]) + Array("rest".utf8)
            #expect(throws: InflateError.self) { try unpack(bytes, format, cut: 64, limit: 64) }
        }
    }
}

/// All that comes of feeding `bytes` in cuts, taken in pieces of `limit` at most.
private func unpack(
    _ bytes: some Collection<UInt8>, _ format: Inflater.Format, cut: Int, limit: Int
) throws -> (bytes: [UInt8], isComplete: Bool) {
    var inflater = try Inflater(format)
    var (rest, result) = (Array(bytes)[...], [UInt8]())
    while !rest.isEmpty {
        var input = rest.prefix(cut)
        rest = rest.dropFirst(cut)
        while true {
            let piece = try inflater.next(limit, from: &input)
            #expect(piece.count <= limit)
            result += piece
            if piece.count < limit { break }
        }
    }
    return (result, inflater.isComplete)
}
