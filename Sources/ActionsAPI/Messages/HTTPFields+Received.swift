import HTTPTypes

extension HTTPFields {
    /// Of the header fields of an answer those that mean something here, in the order of their arrival: servers and
    /// proxies add twenty others, and each would cost more than the answer's own.
    ///
    /// Values keep their bytes, except that a line break or NUL becomes a space.
    package init(received headers: some Sequence<(name: String, value: String)>) {
        self.init()
        for (name, value) in headers {
            guard let known = Self.known.first(where: { $0.canonicalName.isSame(as: name) }) else { continue }
            append(HTTPField(name: known, lenientValue: value.utf8))
        }
    }

    private static let known: [HTTPField.Name] =
        [.date, .contentType, .contentEncoding, .location, .retryAfter] + RateLimitHeaders.names

    /// The value of the first field of that name. The subscript would join the values of repeated fields, and a joined
    /// date or number cannot be read.
    package func firstValue(of name: HTTPField.Name) -> String? { first { $0.name == name }?.value }
}

extension String {
    /// - Parameter name: ASCII in either case.
    fileprivate func isSame(as name: String) -> Bool {
        guard utf8.count == name.utf8.count else { return false }
        var others = name.utf8.makeIterator()
        for byte in utf8 {
            guard let other = others.next() else { return false }
            if byte != other, !isUppercase(other) || byte != other | 0x20 { return false }
        }
        return true
    }
}

private func isUppercase(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
