/// The partner's errors inside a 200, `ActionsFetchError`.
enum PartnerErrors {
    /// Every code that the API documents.
    static let codes = [
        "user", "authentication", "partner", "system", "throttled", "system_throttled", "hydration",
        "authentication_access",
    ]

    /// So many errors, their codes in turn.
    static func list(count: Int, from number: UInt64) -> [JSON] {
        (0..<count).map { step in error(codes[(Int(number % 8) + step) % codes.count]) }
    }

    static func throttled(delay: Int, code: String = "throttled") -> JSON {
        [
            "code": .string(code), "title": "Throttled", "detail": "The partner asks for patience.",
            "delay": .int(delay), "meta": nil,
        ]
    }

    static let unknown: JSON = [
        "code": "quota_of_the_moon", "title": "Unheard of", "detail": "A code that no document names.",
        "meta": ["phase": 0.25], "hint": ["see": ["https://example.com/a", nil]],
    ]

    static let refused = error("partner")

    private static func error(_ code: String) -> JSON {
        switch code {
        case "throttled", "system_throttled": throttled(delay: 30, code: code)
        case "partner":
            [
                "code": .string(code), "title": "Partner said \"no\"", "detail": "HTTP 400: näo\nsecond line",
                "meta": ["http_status": 400, "fields": ["email", "name"]],
            ]
        // Only `code` is sure to be there.
        case "system": ["code": .string(code)]
        default:
            ["code": .string(code), "title": "Failed", "detail": .string("The \(code) check failed."), "meta": [:]]
        }
    }
}

extension JSON: ExpressibleByFloatLiteral {
    init(floatLiteral value: Double) { self = .number("\(value)") }
}
