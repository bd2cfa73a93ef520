import Crypto
import Foundation
import JSONText

/// SHA-256 of a chain's inputs, which are stored nowhere themselves. Inputs that are the same JSON value have the same
/// hash.
enum InputsHash {
    /// Of inputs that a manifest leaves out: they are sent as `{}`.
    static let none = of(PageSettings.noInputs)

    static func of(_ inputs: [UInt8]) -> [UInt8] {
        // A manifest's inputs were checked when it was read.
        Array(SHA256.hash(data: (try? JSONValue(validating: inputs))?.canonical ?? inputs))
    }
}
