/// The six kinds of JSON value.
package enum JSONKind: UInt8, Sendable {
    case object, array, string, number, bool, null

    /// The kind that a valid value of this first byte has.
    init(firstByte: UInt8) {
        switch firstByte {
        case UInt8(ascii: "{"): self = .object
        case UInt8(ascii: "["): self = .array
        case UInt8(ascii: "\""): self = .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): self = .bool
        case UInt8(ascii: "n"): self = .null
        default: self = .number
        }
    }
}
