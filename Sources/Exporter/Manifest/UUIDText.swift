import Foundation

/// The UUID of a text of 8-4-4-4-12 hexadecimal digits in either case; nil for any other text.
func parseUUID(_ text: String) -> UUID? {
    text.utf8.count == 36 ? UUID(uuidString: text) : nil
}
