import JSONText

/// The body of a 200: a run's result as the API has it. Values are slices of the body's own bytes.
package struct RunResult: Sendable {
    /// The run that the body claims to be the result of; nil if it makes no claim.
    package var id: String?
    package var status: String?
    package var type: String?
    /// The cursor of the next page; nil at the end (null, absent or empty in the answer). A number is kept as written.
    package var nextPage: String?
    /// Why the cursor cannot be sent back as it came, for people; nil for most.
    package var cursorFault: String?
    /// The elements of `results`, whatever their kind.
    package var results: JSONElements
    package var resultCount: Int
    /// Bytes of the results, as they were sent.
    package var resultBytes: Int
    package var errors: [PartnerError]
    /// An object of the fields that this description of the API does not know, and of those members of known fields
    /// behind which the same key stands again; nil when there is none.
    package var extra: [UInt8]?
}

/// An error inside a 200: the API worked, the partner's app did not.
package struct PartnerError: Sendable {
    package var code: String?
    package var title: String?
    package var detail: String?
    /// Seconds.
    package var delay: Int?
    package var meta: JSONValue?
    package var extra: [UInt8]?
    /// The whole element of `errors`, as sent; nil if it quotes the token.
    package var value: JSONValue?
}

extension RunResult {
    /// - Returns: nil if the value is not a run's result at all: one of `errors`, `results` and `status` must be there,
    ///   or a proxy's `{"message": "maintenance"}` would count as a run that returned nothing.
    init?(_ body: JSONValue) {
        guard let (fields, outer) = Self.fields(of: body) else { return nil }
        id = fields["id"].flatMap { $0.isNull ? nil : $0.string ?? $0.text }
        // A status of another kind than string is one never heard of; its text serves to say so.
        status = fields["status"].flatMap { $0.isNull ? nil : $0.string ?? $0.text }
        type = fields["type"].flatMap { $0.isNull ? nil : $0.string ?? $0.text }
        nextPage = fields["next_page"].flatMap(Self.cursor)
        cursorFault = nextPage == nil ? nil : fields["next_page"].flatMap(Self.cursorFault)
        results = fields["results"].map(Self.items) ?? JSONElements()
        // Counted once: a look at every element costs a pass over the body.
        (resultCount, resultBytes) = results.reduce((0, 0)) { ($0.0 + 1, $0.1 + $1.bytes.count) }
        errors = (fields["errors"] ?? outer?["errors"]).map(Self.items)?.map(PartnerError.init) ?? []
        extra = Fields.object(
            of: fields.members(but: ["id", "status", "type", "next_page", "results", "errors"])
                + (outer?.members(but: fields["errors"] == nil ? ["data", "errors"] : ["data"]) ?? []))
    }

    /// The run's own object: the body (flat), or what stands under `data` (as the sibling APIs answer), perhaps with
    /// `errors` beside it.
    private static func fields(of body: JSONValue) -> (run: Fields, outer: Fields?)? {
        let flat = Fields(body)
        let isPlain = flat["results"] != nil || flat["status"] != nil
        if !isPlain, let data = flat["data"].map(Fields.init), data.tellOfRun { return (data, flat) }
        return flat.tellOfRun ? (flat, nil) : nil
    }

    private static func items(_ value: JSONValue) -> JSONElements {
        switch value.kind {
        case .array: value.elements()
        case .null: JSONElements()
        // Not what the API promises, but data all the same.
        case .object, .string, .number, .bool: JSONElements(only: value)
        }
    }

    private static func cursor(_ value: JSONValue) -> String? {
        if value.isNull { return nil }
        let cursor = value.string ?? value.text
        return cursor.isEmpty ? nil : cursor
    }

    /// A cursor is a string or, as clients have met it, an integer.
    private static func cursorFault(_ value: JSONValue) -> String? {
        switch value.kind {
        case .number where !value.bytes.contains { [".", "e", "E"].map { UInt8(ascii: $0) }.contains($0) }: nil
        case .string:
            if value.string?.utf8.contains(0) == true {
                "no text that PostgreSQL can hold: it has a NUL"
            } else if value.isBrokenString {
                "no whole text: it has half a character, or bytes that are no UTF-8"
            } else {
                nil
            }
        case .number, .object, .array, .bool: "neither a string nor an integer"
        case .null: nil
        }
    }
}

extension PartnerError {
    init(_ value: JSONValue) {
        self.value = value
        guard value.kind == .object else {
            extra = Array(#"{"value":"#.utf8) + value.bytes + Array("}".utf8)
            return
        }
        let fields = Fields(value)
        code = fields["code"]?.string
        title = fields["title"]?.string
        detail = fields["detail"]?.string
        delay = fields["delay"]?.int
        meta = fields["meta"].flatMap { $0.isNull ? nil : $0 }
        // A field of an unforeseen kind (a number for a code) has no column and is kept here.
        let told = [("code", code != nil), ("title", title != nil), ("detail", detail != nil), ("delay", delay != nil)]
        extra = Fields.object(
            of: fields.members(but: ["meta"] + told.filter { $0.1 || fields[$0.0]?.isNull == true }.map(\.0)))
    }
}

/// An object's members by key; of a key that occurs twice the last one counts, as in PostgreSQL.
private struct Fields {
    typealias Member = (key: String, spelling: ArraySlice<UInt8>, value: JSONValue)

    private let members: [Member]
    /// Where the member of each key stands that counts.
    private let last: [String: Int]

    init(_ object: JSONValue) {
        members = object.spelledMembers()
        last = Dictionary(members.indices.map { [members] in (members[$0].key, $0) }, uniquingKeysWith: { $1 })
    }

    subscript(key: String) -> JSONValue? { last[key].map { members[$0].value } }

    var tellOfRun: Bool { ["errors", "results", "status"].contains { last[$0] != nil } }

    /// All members but the ones of those keys that count.
    func members(but known: [String]) -> [Member] {
        let counting = Set(known.compactMap { last[$0] })
        return members.indices.filter { !counting.contains($0) }.map { members[$0] }
    }

    /// An object of those members, in the bytes in which they came; nil if there are none.
    static func object(of members: [Member]) -> [UInt8]? {
        guard !members.isEmpty else { return nil }
        var object: [UInt8] = []
        for member in members {
            object.append(UInt8(ascii: object.isEmpty ? "{" : ","))
            object += member.spelling
            object.append(UInt8(ascii: ":"))
            object += member.value.bytes
        }
        object.append(UInt8(ascii: "}"))
        return object
    }
}

extension JSONValue {
    /// The value as it was written.
    fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
}
