/// Answers a read of a run, from the seed, the run's id and how often it was read before.
struct RunAnswers: Sendable {
    let seed: UInt64

    /// A read that passed the gate.
    struct Read: Sendable {
        let action: String
        let run: CodedID
        /// 1 for the first read of this run.
        var attempt = 1
        var acceptsGzip = false
    }

    func answer(to read: Read) -> Answer {
        let id = read.run
        if let page = BulkPage(run: id) { return answer(to: read, page) }
        guard let scenario = id.scenario else { return missing(read) }
        if scenario.recovers && id.parameter > 0 && read.attempt > Int(id.parameter) { return success(id) }
        return answer(to: read, scenario, parameter: Int(id.parameter))
    }

    private func answer(to read: Read, _ scenario: Scenario, parameter: Int) -> Answer {
        let id = read.run
        let result = RunResult(id: id)
        switch scenario {
        case .success: return success(id)
        case .successEmpty:
            return id.number % 2 == 0 ? result.with(results: []).answer : result.with(results: nil).answer
        case .successFlat: return success(id) { $0.isEnveloped = false }
        case .successEnveloped: return success(id) { $0.isEnveloped = true }
        case .successWithoutStatus: return success(id) { $0.status = nil }
        case .successErrorsOnly: return RunResult.errorsOnly(id: id).answer
        case .successWithID: return success(id) { $0.tellsID = true }
        case .successWithoutID: return success(id) { $0.tellsID = false }
        case .large: return result.with(results: .raw(Self.largeResults(kibibytes: parameter))).answer
        case .resultsNull: return result.with(results: .null).answer
        case .resultsMixed: return result.with(results: [["key": "value"], 1, "text", [1, 2], nil, true]).answer
        case .deep: return result.with(results: .raw(Self.deepResults(levels: parameter * 100))).answer
        case .gzip: return read.acceptsGzip ? success(id).gzipped : success(id)
        case .hardValues: return result.with(results: .raw(Self.hardResults)).answer
        case .error: return result.failing(PartnerErrors.list(count: max(parameter, 1), from: id.number)).answer
        case .errorWithoutStatus:
            var failed = result.failing(PartnerErrors.list(count: 1, from: id.number))
            failed.status = nil
            return failed.answer
        case .errorUnknownCode: return result.failing([PartnerErrors.unknown]).answer
        case .errorThrottled:
            return result.failing([PartnerErrors.throttled(delay: parameter == 0 ? 30 : parameter)]).answer
        case .waiting:
            var waiting = result.with(results: .array(rows(id, id.number % 2 == 1 ? 2 : 0)))
            waiting.status = "waiting"
            return waiting.answer
        case .unknownStatus: return success(id) { $0.status = "paused" }
        case .wrongID:
            return success(id) {
                $0.tellsID = true
                $0.toldID = CodedID(code: id.code, parameter: id.parameter, number: id.number ^ 1)
            }
        case .emptyBody: return .bytes(200, [], type: "application/json")
        case .html: return .html(200, "Welcome")
        case .notJSON: return .text(200, "All is well.", type: "application/json")
        case .truncatedJSON: return halved(success(id))
        case .invalidUTF8: return Self.invalidUTF8(result)
        case .slow: return success(id).delayed(.milliseconds(parameter * 10))
        case .stall: return success(id).delivered(.stall(.milliseconds(parameter * 10)))
        case .drip:
            return success(id).delivered(.drip(bytes: 16, every: .milliseconds(parameter == 0 ? 10 : parameter)))
        case .pending: return Answer(status: 202)
        case .redirect:
            let target = Scenario.success.id(id.number, parameter: id.parameter)
            let path = "/actions/v1/stored-actions/\(read.action)/runs/\(target)"
            return Answer(status: 307, headers: [.location: path])
        case .badRequest: return APIError.badRequest("Improperly formatted or incompleted request").answer.final
        case .forbidden: return APIError.permissionDenied.answer.final
        case .forbiddenHTML: return .html(403, "Forbidden")
        case .expired: return missing(read)
        case .notFoundHTML: return .html(404, "Not Found")
        case .requestTimeout: return APIError.requestTimeout.answer
        case .conflict: return APIError.conflict.answer.final
        case .gone: return APIError.gone.answer.final
        case .unprocessable: return APIError.unprocessable.answer.final
        case .tooEarly: return APIError.tooEarly.answer
        case .tooManyRequests: return APIError.tooManyRequests.answer.retryable(after: 1)
        case .serverError: return APIError.externalServiceError.answer
        case .badGateway: return Answer.html(502, "Bad Gateway").retryable(after: 1)
        case .unavailable: return APIError.serviceUnavailable.answer.retryable(after: 1)
        case .gatewayTimeout: return APIError.gatewayTimeout.answer
        case .cut: return success(id).cutInHalf
        case .noAnswer: return Answer(status: 0, delivery: .none)
        }
    }

    func missing(_ read: Read) -> Answer {
        APIError.notFound(pointer: "/runs/\(read.run)").answer.final
    }

    private func success(_ id: CodedID, _ change: (inout RunResult) -> Void = { _ in }) -> Answer {
        var made = Rows(seed: seed, id: id)
        let drawn = made.count()
        let says = id.scenario.map { $0 == .success || $0 == .gzip } ?? false
        let count = says && id.parameter > 0 ? Int(id.parameter) - 1 : drawn
        var result = RunResult(id: id).with(results: .array(made.take(count)))
        change(&result)
        return result.answer
    }

    func rows(_ id: CodedID, _ count: Int) -> [JSON] {
        var rows = Rows(seed: seed, id: id)
        return rows.take(count)
    }

    private func halved(_ answer: Answer) -> Answer {
        var answer = answer
        answer.body = Array(answer.body.prefix(answer.body.count / 2))
        answer.isFinal = false
        return answer
    }
}
