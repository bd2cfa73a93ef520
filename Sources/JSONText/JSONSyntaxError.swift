/// Why a text is not JSON (RFC 8259, section 2) or not UTF-8.
package struct JSONSyntaxError: Error, Sendable, Equatable {
    /// Bytes before the offending one, counted from the start of the text handed in, a byte order mark included.
    package var offset: Int
    /// What is wrong, for people, without a capital letter and without a full stop: "a comma or } is missing".
    package var reason: String

    package init(offset: Int, reason: String) {
        self.offset = offset
        self.reason = reason
    }
}
