import ActionsAPI
import Inflate
import NIOCore

/// Unpacks a body as it arrives, in pieces, so that room for each piece is asked for before the next one exists.
///
///     decoder.feed(chunk)
///     while let piece = try decoder.next() { … }      until more bytes are needed
///     try decoder.finish()
struct BodyDecoder: ~Copyable {
    /// The body cannot be unpacked. For people, behind "a body that".
    struct Damage: Error, Equatable {
        var reason: String
    }

    /// The body unpacks to so many times its size that it is made to exhaust memory.
    struct TooDense: Error {}

    static let pieceSize = 65_536
    private static let leastDense = 1 << 20
    /// Times, beyond the first MiB.
    static let mostDense = 200

    private let isDeflate: Bool
    private var isPlain: Bool
    private var inflater: Inflater?
    private var isComplete = false
    private var input: ArraySlice<UInt8> = []
    private var (fed, unpacked) = (0, 0)

    init(_ coding: ContentCoding) {
        switch coding {
        case .identity, .unknown: (isPlain, isDeflate) = (true, false)
        case .deflated(let isDeflate): (isPlain, self.isDeflate) = (false, isDeflate)
        }
    }

    mutating func feed(_ bytes: ByteBuffer) {
        fed += bytes.readableBytes
        input.append(contentsOf: bytes.readableBytesView)
    }

    /// - Returns: nil if more bytes are needed, or the body has ended.
    /// - Throws: `Damage`, `TooDense`.
    mutating func next() throws -> [UInt8]? {
        if isPlain {
            guard !input.isEmpty else { return nil }
            defer { input = [] }
            return Array(input)
        }
        if inflater == nil {
            guard input.count >= 2 else { return nil }
            inflater = try Self.inflater(for: input, isDeflate: isDeflate)
        }
        let piece: [UInt8]
        do throws(InflateError) {
            piece = try inflater?.next(Self.pieceSize, from: &input) ?? []
        } catch {
            throw Damage(reason: "has corrupt compressed data: \(error.reason)")
        }
        isComplete = inflater?.isComplete ?? false
        unpacked += piece.count
        if unpacked > max(Self.leastDense, fed.multipliedReportingOverflow(by: Self.mostDense).partialValue) {
            throw TooDense()
        }
        return piece.isEmpty ? nil : piece
    }

    /// The last byte has been fed and taken.
    ///
    /// - Throws: `Damage` if the body ends too soon.
    func finish() throws(Damage) {
        if isPlain || fed == 0 || isComplete { return }
        throw Damage(reason: "has truncated compressed data")
    }

    private static func inflater(for bytes: ArraySlice<UInt8>, isDeflate: Bool) throws -> Inflater {
        let (first, second) = (bytes[bytes.startIndex], bytes[bytes.startIndex + 1])
        let isZlib = first & 0x0F == 8 && (UInt16(first) << 8 | UInt16(second)) % 31 == 0
        do throws(InflateError) {
            if (first, second) == (0x1F, 0x8B) { return try Inflater(.gzip) }
            if isZlib { return try Inflater(.zlib) }
            if isDeflate { return try Inflater(.rawDeflate) }
        } catch {
            throw Damage(reason: "cannot be unpacked: \(error.reason)")
        }
        throw Damage(reason: "is not compressed, though Content-Encoding says gzip")
    }
}

extension InflateError {
    fileprivate var reason: String {
        switch self {
        case .damaged(let reason): reason
        case .outOfMemory: "out of memory"
        }
    }
}
