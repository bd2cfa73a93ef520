/// What a stored action is: the first group of its id.
enum ActionKind: UInt32, CaseIterable, Sendable {
    case read = 0xAC00_0001
    case readBulk = 0xAC00_0002
    case write = 0xAC00_0003
    case run = 0xAC00_0004
    case search = 0xAC00_0005
    case searchOrWrite = 0xAC00_0006
    case searchAndWrite = 0xAC00_0007
    case filter = 0xAC00_0008
    case tool = 0xAC00_0009
    /// An `action_type` that no document names.
    case unheardOf = 0xAC00_000A
    /// A look-up without `action_type`.
    case untold = 0xAC00_000B
    /// Its look-up and its runs' start answer 403.
    case forbidden = 0xAC00_0403
    /// Its look-up and its runs' start answer 404; its runs can be read all the same.
    case missing = 0xAC00_0404

    /// The API's `action_type`; nil when the look-up does not tell it.
    var actionType: String? {
        switch self {
        case .read: "read"
        case .readBulk: "read_bulk"
        case .write: "write"
        case .run: "run"
        case .search: "search"
        case .searchOrWrite: "search_or_write"
        case .searchAndWrite: "search_and_write"
        case .filter: "filter"
        case .tool: "tool"
        case .unheardOf: "transmogrify"
        case .untold, .forbidden, .missing: nil
        }
    }

    func id(_ number: UInt64, parameter: UInt16 = 0) -> CodedID {
        CodedID(code: rawValue, parameter: parameter, number: number)
    }
}

extension CodedID {
    var actionKind: ActionKind? { ActionKind(rawValue: code) }
}

/// What the look-up of a stored action tells; nil for one that there is not.
func storedAction(_ id: CodedID) -> JSON? {
    guard let kind = id.actionKind, kind != .missing, kind != .forbidden else { return nil }
    var fields: [(String, JSON)] = [
        ("type", "stored_action"),
        ("id", .string(id.description)),
        ("connection_id", .string("conn-\(id.number)")),
        ("selected_api", "SandboxCLIAPI@1.0.0"),
        ("action_key", .string((kind.actionType ?? "untold") + "_sandbox")),
    ]
    if let actionType = kind.actionType { fields.append(("action_type", .string(actionType))) }
    fields.append(("inputs", ["list": .string("list-\(id.number)")]))
    return .object(fields)
}
