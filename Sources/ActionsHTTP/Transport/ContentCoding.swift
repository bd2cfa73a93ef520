import HTTPTypes

/// How a body is encoded, by its `Content-Encoding`.
enum ContentCoding: Equatable {
    case identity
    /// Servers mix up the names of gzip, zlib and raw deflate, so the first bytes decide.
    case deflated(isDeflate: Bool)
    /// One that was not asked for, by its name if that is a known one: a header may hold anything.
    case unknown(String?)

    private static let names: Set = ["br", "zstd", "compress", "x-compress", "gzip", "x-gzip", "deflate"]

    init(_ headers: HTTPFields) {
        guard headers.contains(.contentEncoding) else {
            self = .identity
            return
        }
        let names = headers[values: .contentEncoding]
            .flatMap { $0.split(separator: ",") }
            .map { $0.lowercased().filter { !$0.isWhitespace } }
            .filter { !["", "identity"].contains($0) }
        switch (names.count, names.first) {
        case (0, _): self = .identity
        case (1, "gzip"), (1, "x-gzip"): self = .deflated(isDeflate: false)
        case (1, "deflate"): self = .deflated(isDeflate: true)
        default: self = .unknown(names.allSatisfy(Self.names.contains) ? names.joined(separator: ", ") : nil)
        }
    }
}
