extension Scenario {
    /// Whether the trouble ends after V answers (see ``Scenario``).
    var recovers: Bool {
        switch self {
        case .waiting, .emptyBody, .html, .notJSON, .truncatedJSON, .pending, .requestTimeout, .tooEarly, .serverError,
            .tooManyRequests, .badGateway, .unavailable, .gatewayTimeout, .cut, .noAnswer:
            true
        case .success, .successEmpty, .successFlat, .successEnveloped, .successWithoutStatus, .successErrorsOnly,
            .successWithID, .successWithoutID, .large, .resultsNull, .resultsMixed, .deep, .gzip, .hardValues, .error,
            .errorWithoutStatus, .errorUnknownCode, .errorThrottled, .unknownStatus, .wrongID, .invalidUTF8, .slow,
            .stall, .drip, .redirect, .badRequest, .forbidden, .forbiddenHTML,
            .expired, .notFoundHTML, .conflict, .gone, .unprocessable:
            false
        }
    }

    /// One line for a person who writes an id by hand.
    var meaning: String {
        switch self {
        case .success: "0 to 40 objects of many shapes (V - 1 of them when V is not 0); odd N under `data`"
        case .successEmpty: "no objects: `results` is [] for even N, absent for odd N"
        case .successFlat: "never under `data`"
        case .successEnveloped: "always under `data`"
        case .successWithoutStatus: "no `status`"
        case .successErrorsOnly: "no field but `errors`, the one the schema requires"
        case .successWithID: "`id` is there"
        case .successWithoutID: "`id` is absent"
        case .large: "a body of about V KiB"
        case .resultsNull: "`results` is null"
        case .resultsMixed: "`results` holds numbers, strings, arrays and nulls besides objects"
        case .deep: "one object nested V x 100 levels deep"
        case .gzip: "as success, in gzip when the client accepts it"
        case .hardValues: "values that are hard to store: U+0000, lone surrogates, 1e400, doubled keys, -0"
        case .error: "status error; V errors (1 when V is 0) of the partner, their codes in turn from N on"
        case .errorWithoutStatus: "no `status`, but errors"
        case .errorUnknownCode: "status error with a code that no document names, and a field of its own"
        case .errorThrottled: "status error, code throttled with `delay` V (30 when V is 0)"
        case .waiting: "status waiting V times, with two rows for odd N; then success"
        case .unknownStatus: "200 with status `paused`"
        case .wrongID: "200 with the id of another run"
        case .emptyBody: "200 with an empty body V times, then success"
        case .html: "200 with a page of HTML V times, then success"
        case .notJSON: "200 with JSON's media type and plain words V times, then success"
        case .truncatedJSON: "200 with JSON that ends half-way, its length right, V times, then success"
        case .invalidUTF8: "200 with bytes in a string that are not UTF-8"
        case .slow: "success after V x 10 ms"
        case .stall: "success that stalls for V x 10 ms in the middle of its body"
        case .drip: "success in pieces of 16 bytes, V ms (10 when V is 0) apart"
        case .pending: "202 without a body V times, then success"
        case .redirect: "307 to the success of the same V and N"
        case .badRequest: "400"
        case .forbidden: "403 permission_denied"
        case .forbiddenHTML: "403 with a page of HTML"
        case .expired: "404 with the API's error"
        case .notFoundHTML: "404 with a page of HTML"
        case .requestTimeout: "408 V times, then success"
        case .conflict: "409"
        case .gone: "410"
        case .unprocessable: "422"
        case .tooEarly: "425 V times, then success"
        case .tooManyRequests: "429 with Retry-After 1 V times, then success"
        case .serverError: "500 V times, then success"
        case .badGateway: "502 with Retry-After 1 and HTML V times, then success"
        case .unavailable: "503 with Retry-After 1 V times, then success"
        case .gatewayTimeout: "504 V times, then success"
        case .cut: "connection closed half-way through the body V times, then success"
        case .noAnswer: "connection closed without an answer V times, then success"
        }
    }
}
