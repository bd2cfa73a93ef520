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
    /// A `read_bulk` whose look-up answers 500 V times, or always when V is 0.
    case failingLookup = 0xAC00_0500
    /// Its look-up answers 403; its runs can be started and read.
    case forbiddenLookup = 0xAC00_1403
    /// Its look-up answers 404; its runs can be started and read.
    case missingLookup = 0xAC00_1404

    /// The API's `action_type`; nil when the look-up does not name it.
    var actionType: String? {
        switch self {
        case .read: "read"
        case .readBulk, .failingLookup: "read_bulk"
        case .write: "write"
        case .run: "run"
        case .search: "search"
        case .searchOrWrite: "search_or_write"
        case .searchAndWrite: "search_and_write"
        case .filter: "filter"
        case .tool: "tool"
        case .unheardOf: "transmogrify"
        case .untold, .forbidden, .missing, .forbiddenLookup, .missingLookup: nil
        }
    }

    /// What answers a look-up instead of the action; nil when nothing does.
    func lookupRefusal(of id: CodedID, attempt: Int) -> APIError? {
        switch self {
        case .forbidden, .forbiddenLookup: .permissionDenied
        case .missing, .missingLookup: .notFound(pointer: "/stored-actions/\(id)")
        case .failingLookup: id.parameter == 0 || attempt <= Int(id.parameter) ? .externalServiceError : nil
        case .read, .readBulk, .write, .run, .search, .searchOrWrite, .searchAndWrite, .filter, .tool, .unheardOf,
            .untold:
            nil
        }
    }

    /// What answers a POST instead of a run; nil when nothing does.
    func startRefusal(of id: CodedID) -> APIError? {
        switch self {
        case .forbidden: .permissionDenied
        case .missing: .notFound(pointer: "/stored-actions/\(id)")
        case .read, .readBulk, .write, .run, .search, .searchOrWrite, .searchAndWrite, .filter, .tool, .unheardOf,
            .untold, .failingLookup, .forbiddenLookup, .missingLookup:
            nil
        }
    }

    /// One line for a person who writes an id by hand.
    var meaning: String {
        switch self {
        case .read, .readBulk, .write, .run, .search, .searchOrWrite, .searchAndWrite, .filter, .tool, .unheardOf:
            actionType ?? ""
        case .untold: "no action_type"
        case .forbidden: "look-up and POST are 403"
        case .missing: "look-up and POST are 404; its runs can be read"
        case .failingLookup: "read_bulk; the look-up is 500 V times (V = 0000: always)"
        case .forbiddenLookup: "the look-up is 403; POSTs start runs"
        case .missingLookup: "the look-up is 404; POSTs start runs"
        }
    }

    func id(_ number: UInt64, parameter: UInt16 = 0) -> CodedID {
        CodedID(code: rawValue, parameter: parameter, number: number)
    }
}

extension CodedID {
    var actionKind: ActionKind? { ActionKind(rawValue: code) }
}

/// The answer to a look-up of a stored action; nil for an id of no kind.
func storedAction(_ id: CodedID) -> JSON? {
    guard let kind = id.actionKind else { return nil }
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
