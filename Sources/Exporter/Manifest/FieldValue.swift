import JSONText

/// The value of a key, out of JSON or out of a cell of CSV, where all is text.
enum FieldValue {
    case json(JSONValue)
    /// Never empty: an empty cell is an absent value.
    case cell(String)

    var string: String? {
        switch self {
        case .json(let value): value.string
        case .cell(let text): text
        }
    }

    var bool: Bool? {
        switch self {
        case .json(let value): value.bool
        case .cell("true"): true
        case .cell("false"): false
        case .cell: nil
        }
    }

    var int: Int? {
        switch self {
        case .json(let value): value.int
        case .cell(let text): text.utf8.allSatisfy { $0 == 0x2D || (0x30...0x39).contains($0) } ? Int(text) : nil
        }
    }

    /// The JSON value; that of a cell is its text read as JSON.
    func json() throws(JSONSyntaxError) -> JSONValue {
        switch self {
        case .json(let value): value
        case .cell(let text): try JSONValue(validating: Array(text.utf8))
        }
    }

    /// What was found instead of the expected kind: "a number", "an object".
    var kindText: String {
        switch self {
        case .cell(let text): glimpse(text)
        case .json(let value):
            switch value.kind {
            case .object: "an object"
            case .array: "an array"
            case .string: "a string"
            case .number: "a number"
            case .bool: String(decoding: value.bytes, as: UTF8.self)
            case .null: "null"
            }
        }
    }
}
