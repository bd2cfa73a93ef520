/// Answers to a read of a bulk read's page.
extension RunAnswers {
    func answer(to read: Read, _ page: BulkPage) -> Answer {
        // A root was not started by a POST: it counts as its page's first run.
        let run = max(Int(read.run.ordinal), 1)
        guard page.isTroubled(.reads, read.attempt) || page.isTroubled(.runs, run) else { return rows(read, page) }
        return trouble(read, page.course) ?? rows(read, page)
    }

    /// Whatever the ordinal of the run, the same page holds the same objects.
    private func rows(_ read: Read, _ page: BulkPage) -> Answer {
        let objects = rows(page.withoutOrdinal, page.size).enumerated().map { index, row in
            JSON.object([
                ("chain", .int(page.chain)), ("position", .int(page.index * page.rows + index)), ("row", row),
            ])
        }
        var result = RunResult(id: read.run).with(results: .array(objects))
        result.nextPage = page.nextPage
        return result.answer
    }

    /// nil for a course that does not touch the reads.
    private func trouble(_ read: Read, _ course: BulkCourse) -> Answer? {
        var result = RunResult(id: read.run)
        result.nextPage = nil
        switch course {
        case .pendingPage: return Answer(status: 202)
        case .waitingPage:
            result.status = "waiting"
            return result.answer
        case .latePage:
            var late = missing(read)
            late.isFinal = false
            return late
        case .failedPage: return APIError.externalServiceError.answer
        case .errorPage: return result.failing([PartnerErrors.refused]).answer
        case .throttledPage: return result.failing([PartnerErrors.throttled(delay: 1)]).answer
        case .systemThrottledPage:
            return result.failing([PartnerErrors.throttled(delay: 1, code: "system_throttled")]).answer
        case .rejectedPage: return APIError.badRequest("This page cannot be had.").answer.final
        case .forbiddenPage: return APIError.permissionDenied.answer.final
        case .expiredPage: return missing(read)
        case .plain, .zeroCursor, .circle, .emptyPage, .twoEmptyPages, .emptyTail, .endless, .postTooMany,
            .postUnavailable, .postRejected, .postForbidden, .postNotFound, .startedServerError, .startedBadGateway,
            .startedGatewayTimeout, .startedWithoutID, .startedHTML, .startedLost, .startedCut, .startedForms:
            return nil
        }
    }
}
