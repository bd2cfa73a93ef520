import Foundation

@testable import ActionsAPI
@testable import JSONText

private let token = AccessToken("sesame")
private let runID = UUID(uuidString: "9b1d0000-0000-4000-8000-000000000001") ?? UUID()
private let statuses = [200, 202, 400, 401, 403, 404, 409, 410, 422, 429, 500]

/// An answer's body: whatever it holds, it is told to be JSON or not, cut without loss, and understood without a trap.
func fuzz(_ body: [UInt8]) {
    let isJSON = JSONGrammar.accepts(body)
    do {
        let value = try JSONValue(validating: body)
        require(isJSON, "the validator accepts what is no JSON")
        check(value)
        checkNearest(of: value)
        if let result = RunResult(value) { check(result) }
        require(
            JSONValue.quoted(String(decoding: body, as: UTF8.self)).isJSONString(of: body), "a string is quoted wrongly"
        )
    } catch {
        require(!isJSON, "the validator refuses JSON: \(error.reason)")
        require((0...body.count).contains(error.offset), "the place of a syntax error lies outside of the text")
        require(!error.reason.isEmpty, "a syntax error has no reason")
    }
    // Of no bearing but in strings, each byte that is no UTF-8 is as good as a letter there.
    let mended = String(decoding: body, as: UTF8.self)
    if let value = try? JSONValue(validating: body, allowingBrokenUTF8: true) {
        require(JSONGrammar.accepts(Array(mended.utf8)), "more is taken for JSON than broken UTF-8 accounts for")
        if !isJSON { checkNearest(of: value) }
    } else {
        require(!isJSON, "the lenient validator refuses what the strict one accepts")
    }
    for status in statuses {
        let answer = RunAnswer(APIResponse(status: status, body: body), runID: runID, redactedBy: token)
        for error in answer.apiErrors { check(error) }
        if case .finished(_, let result) = answer { checkRedaction(of: result) }
    }
    _ = StartAnswer(APIResponse(status: 201, body: body), redactedBy: token)
    _ = LookUpAnswer(APIResponse(status: 200, body: body), storedActionID: runID, redactedBy: token)
}

/// Every value within this one.
private func check(_ root: JSONValue) {
    var waiting = [root]
    while let value = waiting.popLast() {
        let parts = value.kind == .object ? value.members().map(\.value) : Array(value.elements())
        require(
            (try? JSONValue(validating: Array(value.bytes)))?.bytes == value.bytes, "a part of a value is no value")
        var end = value.range.lowerBound + 1
        for part in parts {
            require(part.range.lowerBound >= end && part.range.upperBound < value.range.upperBound, "parts overlap")
            end = part.range.upperBound
        }
        switch value.kind {
        case .object: checkMembers(of: value)
        case .array:
            let joined = Array("[".utf8) + parts.map(\.bytes).joined(separator: ",".utf8) + Array("]".utf8)
            require(withoutSpace(joined) == withoutSpace(Array(value.bytes)), "elements are lost by splitting")
            for part in parts {
                let alone = try? JSONValue(validating: Array(part.bytes), allowingBrokenUTF8: true)
                require(alone?.jsonbForm() == part.jsonbForm(), "an element has another form than by itself")
            }
        case .string:
            require(value.string?.isContiguousUTF8 == true, "a string has no text")
        case .number:
            if let int = value.int {
                require(value.bytes.elementsEqual("\(int)".utf8) || int == 0, "an integer is another one")
            }
        case .bool, .null: break
        }
        // The depth of all levels of a deep text would cost the square of its length.
        if value.range.count < 512 {
            let isContainer = value.kind == .object || value.kind == .array
            require(value.depth == (parts.map(\.depth).max() ?? 0) + (isContainer ? 1 : 0), "a depth is wrong")
        }
        waiting += parts
    }
}

/// The nearest form that jsonb can hold is strictly valid, and needs no nearer one.
private func checkNearest(of value: JSONValue) {
    guard case .nearest(let nearest, let notes) = value.jsonbForm() else { return }
    require(!notes.isEmpty, "a value is changed without a note")
    let again = try? JSONValue(validating: nearest)
    require(again?.jsonbForm() == .exact, "the nearest form is not exact itself")
}

private func checkMembers(of object: JSONValue) {
    let members = object.members()
    let joined =
        "{"
        + members.map { "\(JSONValue.quoted($0.key)):" + String(decoding: $0.value.bytes, as: UTF8.self) }
        .joined(separator: ",") + "}"
    let again = (try? JSONValue(validating: Array(joined.utf8)))?.members() ?? []
    require(
        members.elementsEqual(again) { $0.key.utf8.elementsEqual($1.key.utf8) && $0.value.bytes == $1.value.bytes },
        "members are lost by splitting")
    for (key, _) in members.prefix(8) {
        let last = members.last { $0.key.utf8.elementsEqual(key.utf8) }
        require(object[key]?.range == last?.value.range, "a key leads to another member than its last one")
    }
}

private func check(_ result: RunResult) {
    let results = Array(result.results)
    require(result.resultCount == results.count, "results are counted wrongly")
    require(result.resultBytes == results.reduce(0) { $0 + $1.bytes.count }, "the results' bytes are counted wrongly")
    require(result.nextPage != "", "a cursor is empty")
    for extra in [result.unknownFields.object()] + result.errors.map(\.extra) {
        guard let extra else { continue }
        require((try? JSONValue(validating: extra))?.kind == .object, "what is kept of unknown fields is no object")
    }
}

private func checkRedaction(of result: RunResult) {
    let texts = [result.status, result.type] + result.errors.flatMap { [$0.code, $0.title, $0.detail] }
    let values = result.errors.map(\.meta) + (result.errors.map(\.extra) + [result.unknownFields.object()]).map(parsed)
    for text in texts.compactMap(\.self) + values.compactMap(\.self).flatMap(strings) {
        require(!Array(text.utf8).contains(Array("sesame".utf8)), "an error of the partner still holds the token")
    }
}

private func parsed(_ json: [UInt8]?) -> JSONValue? { json.flatMap { try? JSONValue(validating: $0) } }

private func check(_ error: APIError) {
    let texts = [
        error.code, error.title, error.detail, error.sourcePointer, error.sourceParameter, error.sourceHeader,
    ]
    for text in texts.compactMap(\.self) + (error.meta.map(strings) ?? []) {
        require(!Array(text.utf8).contains(Array("sesame".utf8)), "an error of the API still holds the token")
    }
}

/// All strings and keys within a value.
private func strings(in root: JSONValue) -> [String] {
    var strings: [String] = []
    var waiting = [root]
    while let value = waiting.popLast() {
        if let string = value.string { strings.append(string) }
        let members = value.members()
        strings += members.map(\.key)
        waiting += members.map(\.value) + value.elements()
    }
    return strings
}

/// The text without white space outside of strings.
private func withoutSpace(_ json: [UInt8]) -> [UInt8] {
    var (isInString, isEscaped) = (false, false)
    return json.filter { byte in
        defer {
            if !isEscaped, byte == UInt8(ascii: "\"") { isInString.toggle() }
            isEscaped = isInString && !isEscaped && byte == UInt8(ascii: "\\")
        }
        return isInString || !" \t\r\n".utf8.contains(byte)
    }
}

extension RunAnswer {
    fileprivate var apiErrors: [APIError] {
        switch self {
        case .finished, .waiting, .pending, .tokenEnded, .throttled: []
        case .gone(let errors), .forbidden(let errors), .rejected(let errors), .credentialsRefused(let errors): errors
        case .faulty(_, _, let errors, _): errors
        }
    }
}

extension String {
    /// Whether this is a JSON string that stands for the text that these bytes decode to.
    fileprivate func isJSONString(of bytes: [UInt8]) -> Bool {
        guard let value = try? JSONValue(validating: Array(utf8)), let string = value.string else { return false }
        return string.utf8.elementsEqual(String(decoding: bytes, as: UTF8.self).utf8)
    }
}
