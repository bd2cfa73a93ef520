import JSONText

/// An error that the API itself answers, as in `ActionsErrorResponse` of its description.
package struct APIError: Sendable {
    package var status: Int?
    package var code: String?
    package var title: String?
    package var detail: String?
    package var sourcePointer: String?
    package var sourceParameter: String?
    package var sourceHeader: String?
    package var meta: JSONValue?
    /// The whole error, as it was sent; nil if it quotes the token.
    package var value: JSONValue?
}

extension APIError {
    /// The errors of an `ActionsErrorResponse`, without the token; nil if the body is not one.
    package static func list(_ body: [UInt8], redactedBy token: AccessToken?) -> [APIError]? {
        guard let body = try? JSONValue(validating: body, allowingBrokenUTF8: true) else { return nil }
        return list(body, redactedBy: token)
    }

    static func list(_ body: JSONValue, redactedBy token: AccessToken?) -> [APIError]? {
        guard let errors = body["errors"] ?? body["data"]?["errors"], errors.kind == .array
        else { return nil }
        return errors.elements().prefix(most).map(APIError.init).map { error in token.map(error.redacted) ?? error }
    }

    /// At most so many are kept of one answer: they explain why a request failed, and are not data.
    private static let most = 1_000

    /// The API's own status in a list of errors, in a body whose HTTP status is another: one that the budget
    /// is to hear of before all others.
    static func ownStatus(of errors: [APIError]) -> Int? {
        let statuses = errors.compactMap(\.status).filter { $0 >= 400 }
        return statuses.first { $0 == 429 } ?? statuses.first { $0 == 503 } ?? statuses.first
    }

    /// For people: what an answer lacks whose status alone says nothing.
    static func absence(_ status: Int) -> String {
        "\(status) without the API's error body: from a proxy?"
    }

    private init(_ value: JSONValue) {
        status = value["status"]?.int
        code = value["code"]?.string
        title = value["title"]?.string
        detail = value["detail"]?.string
        sourcePointer = value["source"]?["pointer"]?.string
        sourceParameter = value["source"]?["parameter"]?.string
        sourceHeader = value["source"]?["header"]?.string
        meta = value["meta"].flatMap { $0.isNull ? nil : $0 }
        self.value = value
    }
}

extension APIError {
    /// It has a column for what it says.
    var hasText: Bool { code != nil || title != nil || detail != nil }

    /// The code, if it is a plain word: the texts may quote what was sent.
    package var plainCode: String? { code.flatMap { $0.isErrorCode ? $0 : nil } }
}

extension [APIError] {
    /// Said of the token, not of what was asked for.
    package var refuseCredentials: Bool { contains { $0.code == "authentication_failed" } }
}
