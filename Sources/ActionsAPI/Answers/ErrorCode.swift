extension String {
    /// A short word, as the codes of errors are; it can be shown and quotes nothing.
    package var isErrorCode: Bool { !isEmpty && utf8.count <= 60 && utf8.allSatisfy(Self.isWordByte) }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
