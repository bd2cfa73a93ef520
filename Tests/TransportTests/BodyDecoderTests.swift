import NIOCore
import Support
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("Bodies are unpacked as they arrive")
struct BodyDecoderTests {
    private static let text = Array(#"{"status": "success", "results": ["#.utf8) + Compression.repetitive(200_000)

    private func decode(_ bytes: [UInt8], _ coding: String, cut: Int = 1_000) throws -> [UInt8] {
        var decoder = BodyDecoder(ContentCoding([.contentEncoding: coding]))
        var (rest, result) = (bytes[...], [UInt8]())
        while !rest.isEmpty {
            decoder.feed(ByteBuffer(bytes: rest.prefix(cut)))
            rest = rest.dropFirst(cut)
            while let piece = try decoder.next() {
                #expect(piece.count <= max(BodyDecoder.pieceSize, cut))
                result += piece
            }
        }
        try decoder.finish()
        return result
    }

    private func damage(_ bytes: [UInt8], _ coding: String) throws -> String? {
        #expect(throws: BodyDecoder.Damage.self) { try decode(bytes, coding) }?.reason
    }

    private static let packed: [(name: String, bytes: [UInt8])] = [
        ("gzip", Compression.gzip.pack(text)), ("x-gzip", Compression.gzip.pack(text)),
        ("GZip", Compression.gzip.pack(text)), (" identity , gzip", Compression.gzip.pack(text)),
        ("deflate", Compression.zlib.pack(text)), ("deflate", Compression.rawDeflate.pack(text)),
        ("deflate", Compression.gzip.pack(text)), ("gzip", Compression.zlib.pack(text)),
        ("gzip", Compression.gzip.pack(text.prefix(70_000)) + Compression.gzip.pack(text.dropFirst(70_000))),
        ("gzip", Compression.gzip.pack([]) + Compression.gzip.pack(text) + Compression.gzip.pack([])),
        ("gzip", Compression.gzip.pack(text) + [0, 0, 0]),
        ("identity", text), ("", text),
    ]

    @Test(
        "Whatever gzip and deflate are called, however many members there are, and however they are cut",
        arguments: packed.indices, [1, 2, 7, 1_000, 1_000_000])
    func decodes(index: Int, cut: Int) throws {
        let (name, bytes) = Self.packed[index]
        #expect(try decode(bytes, name, cut: cut) == Self.text)
    }

    @Test("Nothing is nothing, whatever its coding", arguments: ["gzip", "deflate", "identity"])
    func empty(coding: String) throws {
        #expect(try decode([], coding) == [])
    }

    @Test("What ends too soon, is damaged or not compressed at all is reported")
    func damaged() throws {
        let whole = Compression.gzip.pack(Self.text)
        for end in [1, 2, 9, 100, whole.count - 8, whole.count - 1] {
            #expect(try damage(Array(whole.prefix(end)), "gzip") == "has truncated compressed data")
        }
        var flipped = whole
        flipped[whole.count - 6] ^= 1
        #expect(try damage(flipped, "gzip") == "has corrupt compressed data: incorrect data check")
        #expect(try damage(whole + Array("<html>".utf8), "gzip")?.contains("corrupt") == true)
        #expect(
            try damage(Array("{\"a\": 1}".utf8), "gzip") == "is not compressed, though Content-Encoding says gzip")
        #expect(try damage(Array("{\"a\": 1}".utf8), "deflate")?.contains("corrupt") == true)
    }

    @Test("Over 200 times its size, beyond the first MiB, a body is made to exhaust memory")
    func dense() throws {
        let million = [UInt8](repeating: 0, count: 1 << 20)
        #expect(try decode(Compression.gzip.pack(million), "gzip") == million)
        for (name, kind) in [("gzip", Compression.gzip), ("deflate", .zlib), ("deflate", .rawDeflate)] {
            let bytes = kind.pack(million + million)
            #expect(throws: BodyDecoder.TooDense.self) { try decode(bytes, name) }
        }
        let members = Array(repeatElement(Compression.gzip.pack(million), count: 2).joined())
        #expect(throws: BodyDecoder.TooDense.self) { try decode(members, "gzip") }
        let ordinary = Compression.repetitive(4 << 20)
        #expect(try decode(Compression.gzip.pack(ordinary), "gzip") == ordinary)
    }

    @Test(
        "What was not asked for is named, if it is a known coding",
        arguments: [
            ("br", "br"), ("zstd", "zstd"), ("gzip, gzip", "gzip, gzip"), ("compress", "compress"),
            ("gzip,br", "gzip, br"), ("Bearer secret", nil), ("br, x\u{1b}[2J", nil),
        ] as [(String, String?)])
    func unknown(header: String, name: String?) {
        #expect(ContentCoding([.contentEncoding: header]) == .unknown(name))
    }
}
