import HTTPTypes

extension HTTPFields {
    /// The header fields of an answer, in the order of their arrival.
    ///
    /// Values keep their bytes, except that a line break or NUL becomes a space. A field whose name is not an HTTP
    /// token is left out.
    package init(received headers: some Sequence<(name: String, value: String)>) {
        self.init(
            headers.compactMap { header in
                HTTPField.Name(header.name).map { HTTPField(name: $0, lenientValue: header.value.utf8) }
            })
    }

    /// The value of the first field of that name. The subscript would join the values of repeated fields, and a joined
    /// date or number cannot be read.
    package func firstValue(of name: HTTPField.Name) -> String? { first { $0.name == name }?.value }
}
