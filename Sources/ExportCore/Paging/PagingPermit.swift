/// Whether a stored action may be run again for its further pages. A POST runs the action: what is not surely a read
/// would be done twice.
///
/// | the look-up says | the manifest's `action_type` | |
/// | --- | --- | --- |
/// | `read_bulk` | any | granted |
/// | `read`, `search` | the same | granted |
/// | 403 or 404 | `read_bulk`, `read`, `search` | granted |
/// | anything else, known or not | any | refused |
enum PagingPermit: Sendable, Equatable {
    case granted
    /// Why, for people.
    case refused(String)

    init(_ description: ActionDescription, manifest: String?) {
        switch description {
        case .found(actionType: "read_bulk"): self = .granted
        case .found(actionType: let type?) where ["read", "search"].contains(type):
            self =
                manifest == type
                ? .granted
                : .refused(
                    "the stored action is a \(type): its pages are followed only if the manifest names that action_type"
                )
        case .found(actionType: let type?):
            self = .refused("the stored action is a \(type.prefix(40)), not a bulk read")
        case .found(actionType: nil): self = .refused("the API does not say what the stored action is")
        case .withheld(let status):
            switch manifest {
            case "read_bulk", "read", "search": self = .granted
            case let type?:
                self = .refused(
                    "the look-up answers \(status), and the manifest calls the stored action a \(type.prefix(40))")
            case nil:
                self = .refused("the look-up answers \(status), and the manifest names no action_type")
            }
        }
    }
}

/// The result of looking up a stored action.
enum ActionDescription: Sendable, Equatable {
    /// `actionType` is nil if the answer has none.
    case found(actionType: String?)
    /// The API does not show the action to this token: 403 or 404.
    case withheld(status: Int)
}
