/// Answers to a POST that got through.
enum StartAnswers {
    /// The ordinary answer, to a POST that started `run`.
    static func started(_ run: CodedID) -> Answer {
        form(run, status: 201, isEnveloped: true)
    }

    /// What a course makes of a POST that it befalls. A run was started unless `run` is nil.
    static func troubled(_ page: BulkPage, run: CodedID?) -> Answer? {
        switch page.course {
        case .postTooMany: return APIError.tooManyRequests.answer.retryable(after: 1)
        case .postUnavailable: return APIError.serviceUnavailable.answer.retryable(after: 1)
        case .postRejected: return APIError.badRequest("These inputs cannot be run.").answer
        case .postForbidden: return APIError.permissionDenied.answer
        case .postNotFound: return APIError.notFound(pointer: "/stored-actions").answer
        case .startedServerError: return APIError.externalServiceError.answer
        case .startedBadGateway: return .html(502, "Bad Gateway")
        case .startedGatewayTimeout: return APIError.gatewayTimeout.answer
        case .startedWithoutID: return .json(201, ["data": ["type": "run"]])
        case .startedHTML: return .html(200, "Thank you")
        case .startedLost: return Answer(status: 0, delivery: .none)
        case .startedCut: return run.map { started($0).cutInHalf }
        case .startedForms: return run.map { form($0, turn: page.times == 0 ? page.index : page.times - 1) }
        case .plain, .zeroCursor, .circle, .emptyPage, .twoEmptyPages, .emptyTail, .endless, .pendingPage,
            .waitingPage, .latePage, .failedPage, .errorPage, .throttledPage, .systemThrottledPage, .rejectedPage,
            .forbiddenPage, .expiredPage:
            return nil
        }
    }

    private static func form(_ run: CodedID, turn: Int) -> Answer {
        form(run, status: 200 + turn % 3, isEnveloped: turn % 2 == 0)
    }

    private static func form(_ run: CodedID, status: Int, isEnveloped: Bool) -> Answer {
        let fields: JSON = ["type": "run", "id": .string(run.description)]
        return .json(status, isEnveloped ? ["data": fields] : fields)
    }
}

extension BulkCourse {
    /// Whether a POST that it befalls starts a run all the same.
    var startsRun: Bool {
        switch self {
        case .postTooMany, .postUnavailable, .postRejected, .postForbidden, .postNotFound: false
        case .plain, .zeroCursor, .circle, .emptyPage, .twoEmptyPages, .emptyTail, .endless, .pendingPage,
            .waitingPage, .latePage, .failedPage, .errorPage, .throttledPage, .systemThrottledPage, .rejectedPage,
            .forbiddenPage, .expiredPage, .startedServerError, .startedBadGateway, .startedGatewayTimeout,
            .startedWithoutID, .startedHTML, .startedLost, .startedCut, .startedForms:
            true
        }
    }
}
