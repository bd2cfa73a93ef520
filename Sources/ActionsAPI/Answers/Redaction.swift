import JSONText

extension APIError {
    /// The error without the token, wherever somebody quoted it.
    func redacted(by token: AccessToken) -> APIError {
        var error = self
        let texts: [WritableKeyPath<APIError, String?>] = [
            \.code, \.title, \.detail, \.sourcePointer, \.sourceParameter, \.sourceHeader,
        ]
        for text in texts { error[keyPath: text] = error[keyPath: text].map(token.redacted) }
        if let meta = error.meta, token.stands(in: meta) { error.meta = nil }
        if let value = error.value, token.stands(in: value) { error.value = nil }
        return error
    }
}

extension RunResult {
    /// The answer without the token, but for results and cursor: those are data, and stay as they are.
    func redacted(by token: AccessToken) -> RunResult {
        var result = self
        result.status = status.map(token.redacted)
        result.type = type.map(token.redacted)
        result.errors = errors.map { $0.redacted(by: token) }
        if token.stands(in: result.extra) { result.extra = nil }
        return result
    }
}

extension PartnerError {
    fileprivate func redacted(by token: AccessToken) -> PartnerError {
        var error = self
        for text in [\PartnerError.code, \.title, \.detail] {
            error[keyPath: text] = error[keyPath: text].map(token.redacted)
        }
        if let meta = error.meta, token.stands(in: meta) { error.meta = nil }
        if token.stands(in: error.extra) { error.extra = nil }
        if let value = error.value, token.stands(in: value) { error.value = nil }
        return error
    }
}

extension AccessToken {
    /// Whether the token stands in a key or a string of the value, whatever its spelling there: there are encoders that
    /// escape every / and +.
    fileprivate func stands(in value: JSONValue) -> Bool {
        value.containsString { stands(in: $0) }
    }

    fileprivate func stands(in json: [UInt8]?) -> Bool {
        guard let json, let value = try? JSONValue(validating: json, allowingBrokenUTF8: true) else { return false }
        return stands(in: value)
    }
}
