import JSONText

/// The errors inside a 200: the API worked, the partner's app did not. Each is read when it is asked for: a large
/// answer costs no memory beside its bytes.
package struct PartnerErrors: Collection, Sendable {
    private let elements: JSONElements
    /// Removed from everything that is reported of an error.
    private let token: AccessToken?
    package let count: Int
    /// Of all errors, as they were sent.
    package let byteCount: Int

    init(_ elements: JSONElements, redactedBy token: AccessToken? = nil) {
        self.elements = elements
        self.token = token
        (count, byteCount) = elements.size
    }

    package var startIndex: JSONElements.Index { elements.startIndex }
    package var endIndex: JSONElements.Index { elements.endIndex }
    package func index(after index: JSONElements.Index) -> JSONElements.Index { elements.index(after: index) }
    package subscript(index: JSONElements.Index) -> PartnerError {
        PartnerError(elements[index], redactedBy: token)
    }

    /// The errors from there on as one JSON array, as they were sent but for the token.
    package func array(from index: JSONElements.Index) -> [UInt8] {
        let text = elements.text(from: index)
        var array: [UInt8] = []
        array.reserveCapacity(text.count + 2)
        array.append(UInt8(ascii: "["))
        array += text
        array.append(UInt8(ascii: "]"))
        return token?.redacted(array) ?? array
    }

    /// No error is the API's own, with the status of a failed request, and each says what went wrong.
    var holdsOnlyPartnerErrors: Bool {
        elements.allSatisfy { error in
            guard error.kind == .object, error["status"]?.int ?? 0 < 400 else { return false }
            return ["code", "title", "detail"].contains { error[$0]?.isNull == false }
        }
    }
}

/// An error inside a 200. Nothing of it is read before it is asked for.
package struct PartnerError: Sendable {
    private let json: JSONValue
    private let token: AccessToken?

    init(_ json: JSONValue, redactedBy token: AccessToken?) {
        self.json = json
        self.token = token
    }

    package var code: String? { text("code") }
    package var title: String? { text("title") }
    package var detail: String? { text("detail") }
    /// Seconds.
    package var delay: Int? { json["delay"]?.int }
    package var meta: JSONValue? { json["meta"].flatMap { $0.isNull || quotesToken($0) ? nil : $0 } }
    /// The whole element of `errors`, as sent; nil if it quotes the token.
    package var value: JSONValue? { quotesToken(json) ? nil : json }

    /// An object of the fields that have no column; of an error that is not an object, it is the field `value`.
    package var extra: [UInt8]? {
        guard json.kind == .object else {
            return quotesToken(json) ? nil : Array(#"{"value":"#.utf8) + json.bytes + [UInt8(ascii: "}")]
        }
        let fields = KnownFields(json, ["code", "title", "detail", "delay", "meta"])
        // A field of an unforeseen kind (a number for a code) has no column and is kept here.
        let known = ["code", "title", "detail"].filter { fields[$0].map { $0.isNull || isText($0) } ?? false }
        let delay = fields["delay"].map { $0.isNull || $0.int != nil } ?? false
        let unknown = UnknownFields([(fields, known + (delay ? ["delay"] : []) + ["meta"])])
        if let token, token.occurs(in: unknown) { return nil }
        return unknown.object()
    }

    private func text(_ key: String) -> String? {
        guard let value = json[key], isText(value), let text = value.string else { return nil }
        return token?.redacted(text) ?? text
    }

    /// A longer one is kept as `jsonb` of that length is: as its bytes.
    private func isText(_ value: JSONValue) -> Bool {
        value.kind == .string && value.bytes.count <= JSONBLimits.bytes
    }

    private func quotesToken(_ value: JSONValue) -> Bool { token?.occurs(in: value) ?? false }
}
