import JSONText

extension APIError {
    /// The error without the token, wherever it is quoted.
    func redacted(by token: AccessToken) -> APIError {
        var error = self
        let texts: [WritableKeyPath<APIError, String?>] = [
            \.code, \.title, \.detail, \.sourcePointer, \.sourceParameter, \.sourceHeader,
        ]
        for text in texts { error[keyPath: text] = error[keyPath: text].map(token.redacted) }
        if let meta = error.meta, token.occurs(in: meta) { error.meta = nil }
        if let value = error.value, token.occurs(in: value) { error.value = nil }
        return error
    }
}

extension AccessToken {
    /// Whether the token occurs in a key or a string of the value, in any spelling: there are encoders that
    /// escape every / and +.
    func occurs(in value: JSONValue) -> Bool {
        value.containsString { occurs(in: $0) }
    }

    func occurs(in fields: UnknownFields) -> Bool {
        !fields.isEmpty && fields.containsString { occurs(in: $0) }
    }
}
