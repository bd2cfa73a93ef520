import JSONText

/// The body of a 200: a run's result as the API has it. Values are slices of the body's own bytes.
///
/// A class, for it passes through many hands, and a copy of so many fields would cost more than to read them.
package final class RunResult: Sendable {
    /// The run that the body claims to be the result of; nil if it makes no claim.
    package let id: String?
    package let status: String?
    package let type: String?
    /// The cursor of the next page; nil at the end (null, absent or empty in the answer). A number is kept as written.
    package let nextPage: String?
    /// Why the cursor cannot be sent back as it came, for people; nil for most.
    package let cursorFault: String?
    /// The elements of `results`, whatever their kind.
    package let results: JSONElements
    package let resultCount: Int
    /// Bytes of the results, as they were sent.
    package let resultBytes: Int
    package let errors: PartnerErrors
    /// The fields that the API's description does not have, and those members of known fields behind which the
    /// same key occurs again.
    package let unknownFields: UnknownFields
    /// The body holds an array of results, or an array of errors that are all a partner's: without either it is another
    /// server's answer, or the API's own error in a 200.
    package let isComplete: Bool

    /// - Parameter token: taken out of all but the results and the cursor: those are data, and stay as they are.
    /// - Returns: nil if the value does not describe a run: it has neither `errors` nor `results` nor `status`.
    init?(_ body: JSONValue, redactedBy token: AccessToken? = nil) {
        guard let (own, outer) = Self.fields(of: body) else { return nil }
        // Of an envelope that has the status, such as `{"status": "success", "data": {"results": []}}`.
        let envelope = outer?["status"] == nil ? nil : outer
        func field(_ key: String) -> JSONValue? { own[key] ?? envelope?[key] }
        id = field("id").flatMap { $0.isNull ? nil : $0.shortText }
        // A status of another kind than string is one never heard of; its text serves to say so.
        status = field("status").flatMap { $0.isNull ? nil : $0.shortText }.map { token?.redacted($0) ?? $0 }
        let type = field("type").flatMap { $0.isNull || $0.isLong ? nil : $0.shortText }
        self.type = type.map { token?.redacted($0) ?? $0 }
        let cursor = field("next_page")
        nextPage = cursor.flatMap(Self.cursor)
        cursorFault = nextPage == nil ? nil : cursor.flatMap(Self.cursorFault)
        results = own["results"].map(Self.items) ?? JSONElements()
        (resultCount, resultBytes) = results.size
        let sentErrors = own["errors"] ?? outer?["errors"]
        errors = PartnerErrors(sentErrors.map(Self.items) ?? JSONElements(), redactedBy: token)
        isComplete = own["results"]?.kind == .array || sentErrors?.kind == .array && errors.holdsOnlyPartnerErrors

        var known = Self.keys
        if type == nil, field("type")?.isNull == false { known.removeAll { $0 == "type" } }
        var knownOutside = ["data"]
        if own["errors"] == nil { knownOutside.append("errors") }
        if envelope != nil { knownOutside += ["id", "status", "type", "next_page"].filter { own[$0] == nil } }
        let unknown = UnknownFields([(own, known)] + (outer.map { [($0, knownOutside)] } ?? []))
        unknownFields = token?.occurs(in: unknown) == true ? UnknownFields() : unknown
    }
}

extension RunResult {
    private static let keys = ["id", "status", "type", "next_page", "results", "errors"]

    /// The run's own object: the body (flat), or the value of `data` (as the sibling APIs answer), perhaps with
    /// `errors` or the status beside it. It is the one that has the results, or else the errors.
    private static func fields(of body: JSONValue) -> (run: KnownFields, outer: KnownFields?)? {
        let flat = KnownFields(body, keys + ["data"])
        let data = flat["data"].map { KnownFields($0, keys) }
        if flat["results"]?.kind == .array { return (flat, nil) }
        if let data, data["results"]?.kind == .array { return (data, flat) }
        let isPlain = flat["results"] != nil || flat["status"] != nil
        if isPlain, flat["errors"]?.kind == .array { return (flat, nil) }
        if let data, data["errors"]?.kind == .array || !isPlain && isRun(data) { return (data, flat) }
        return isRun(flat) ? (flat, nil) : nil
    }

    private static func isRun(_ fields: KnownFields) -> Bool {
        ["errors", "results", "status"].contains { fields[$0] != nil }
    }

    private static func items(_ value: JSONValue) -> JSONElements {
        switch value.kind {
        case .array: value.elements()
        case .null: JSONElements()
        // Not what the API promises, but data all the same.
        case .object, .string, .number, .bool: JSONElements(only: value)
        }
    }

    /// A cursor is sent back and is a part of keys: one that is longer is of no use but to be named.
    private static let longestCursor = 1 << 20

    private static func cursor(_ value: JSONValue) -> String? {
        if value.isNull { return nil }
        let cursor = value.bytes.count > longestCursor ? value.shortText : value.string ?? value.text
        return cursor.isEmpty ? nil : cursor
    }

    /// A cursor is a string or, as clients have met it, an integer.
    private static func cursorFault(_ value: JSONValue) -> String? {
        if value.bytes.count > longestCursor { return "longer than 1 MiB" }
        switch value.kind {
        case .number where !value.bytes.contains { [".", "e", "E"].map { UInt8(ascii: $0) }.contains($0) }: return nil
        case .string:
            if value.string?.utf8.contains(0) == true {
                return "not valid: it contains a NUL, which PostgreSQL text cannot store"
            } else if value.isBrokenString {
                return "not valid: it contains a lone surrogate or bytes that are not UTF-8"
            } else {
                return nil
            }
        case .number, .object, .array, .bool: return "neither a string nor an integer"
        case .null: return nil
        }
    }
}

extension JSONValue {
    /// The value as it was written.
    fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Longer than a name or a word. A body may be one such value, whose text must not be copied.
    fileprivate var isLong: Bool { bytes.count > 10_000 }

    /// The decoded string, or another value as it was written; of a long one the beginning, as it was written.
    fileprivate var shortText: String {
        isLong ? String(decoding: bytes.prefix(100), as: UTF8.self) + "…" : string ?? text
    }
}
