import Foundation

extension UUID {
    /// As the API spells it.
    package var lowercase: String { uuidString.lowercased() }
}
