import ExportCore

/// An enum whose values the database holds by name.
protocol StoredName: RawRepresentable<String> {
    /// What the names denote, as messages call it.
    static var term: String { get }
}

extension Outcome: StoredName { static let term = "outcome" }
extension EndReason: StoredName { static let term = "end reason" }
extension ChainLeft.Reason: StoredName { static let term = "reason of leaving a chain" }

extension StoredName {
    /// - Throws: `UnknownName` if the database holds a name that this version does not have.
    init(named name: String) throws {
        guard let value = Self(rawValue: name) else { throw UnknownName(term: Self.term, name: name) }
        self = value
    }
}

struct UnknownName: Error, CustomStringConvertible {
    var term: String
    var name: String

    var description: String { "the database holds the \(term) \"\(name)\", which this version does not support" }
}
