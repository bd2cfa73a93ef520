/// The error bodies of the API itself: codes, titles and absent fields as its OpenAPI examples have them.
enum APIError: Sendable {
    case badRequest(String)
    case authenticationFailed(status: Int)
    case permissionDenied
    case notFound(pointer: String)
    case methodNotAllowed
    case requestTimeout
    case conflict
    case gone
    case unprocessable
    case tooEarly
    case tooManyRequests
    case externalServiceError
    case serviceUnavailable
    case gatewayTimeout

    var answer: Answer {
        .json(status, ["errors": [.object([("status", .int(status))] + fields)]])
    }

    var status: Int {
        switch self {
        case .badRequest: 400
        case .authenticationFailed(let status): status
        case .permissionDenied: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .conflict: 409
        case .gone: 410
        case .unprocessable: 422
        case .tooEarly: 425
        case .tooManyRequests: 429
        case .externalServiceError: 500
        case .serviceUnavailable: 503
        case .gatewayTimeout: 504
        }
    }

    private var fields: [(String, JSON)] {
        switch self {
        case .badRequest(let detail):
            Self.full("bad_request", "Bad Request", detail, source: nil)
        case .authenticationFailed:
            Self.brief("authentication_failed", "Incorrect authentication credentials.")
        case .permissionDenied:
            Self.brief("permission_denied", "User does not have enough permissions to perform action")
        case .notFound(let pointer):
            Self.full(
                "not_found", "Resource not found.", "There is nothing here, or no longer.",
                source: ["pointer": .string(pointer)])
        case .methodNotAllowed: Self.brief("method_not_allowed", "This method is not allowed here.")
        case .requestTimeout: Self.brief("request_timeout", "The request took too long.")
        case .conflict:
            Self.full(
                "conflict", "Conflict", "The run is in a state that forbids this.", source: ["parameter": "run_id"])
        case .gone: Self.full("gone", "Gone", "The results of this run were deleted.", source: nil)
        case .unprocessable:
            Self.full("unprocessable", "Unprocessable", "The run cannot be read.", source: ["header": "Accept"])
        case .tooEarly: Self.brief("too_early", "The run has only just been started.")
        case .tooManyRequests: Self.brief("too_many_requests", "Rate limit exceeded. Too many requests.")
        case .externalServiceError: Self.brief("external_service_error", "An error occurred with an external service.")
        // The API spells it so.
        case .serviceUnavailable: Self.brief("service_unavaiable", "Service is temporarily unavailable")
        case .gatewayTimeout: Self.brief("gateway_timeout", "The service did not answer in time.")
        }
    }

    private static func brief(_ code: String, _ detail: String) -> [(String, JSON)] {
        [("code", .string(code)), ("detail", .string(detail))]
    }

    private static func full(_ code: String, _ title: String, _ detail: String, source: JSON) -> [(String, JSON)] {
        [
            ("code", .string(code)), ("title", .string(title)), ("detail", .string(detail)), ("source", source),
            ("meta", [:]),
        ]
    }
}
