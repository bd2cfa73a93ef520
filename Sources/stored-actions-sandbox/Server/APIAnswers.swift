import Foundation

/// What the API answers to a call, once it has arrived.
struct APIAnswers: Sendable {
    let state: SandboxState

    func answer(to call: Call, _ arrival: SandboxState.Arrival, at now: Date) async -> Answer {
        if let refusal = arrival.refusal { return refusal }
        switch call.route {
        case .run, .lookup, .list:
            let settings = arrival.settings
            let fault = Fault.drawn(
                rate: settings.faultRate, seed: settings.seed, path: call.path, request: arrival.request)
            let answer = read(call, arrival)
            return fault?.applied(to: answer) ?? answer
        case .submit(let action): return await submit(to: action, call.body)
        case .token: return await token(call, at: now)
        case .wrongMethod(let allowed):
            var answer = APIError.methodNotAllowed.answer
            answer.headers[.allow] = allowed
            return answer
        case .unknown, .control: return APIError.notFound(pointer: call.path).answer
        }
    }

    private func read(_ call: Call, _ arrival: SandboxState.Arrival) -> Answer {
        switch call.route {
        case .run(let action, let run):
            let read = RunAnswers.Read(
                action: action.description, run: run, attempt: arrival.attempt, acceptsGzip: call.acceptsGzip)
            return RunAnswers(seed: arrival.settings.seed).answer(to: read)
        case .lookup(let action): return lookup(action, attempt: arrival.attempt)
        default:
            let seen = ActionKind.allCases.filter { $0.lookupRefusal(of: $0.id(1), attempt: 1) == nil }
            return .json(200, ["results": .array(seen.compactMap { storedAction($0.id(1)) })])
        }
    }

    private func lookup(_ action: CodedID, attempt: Int) -> Answer {
        guard let kind = action.actionKind, let fields = storedAction(action) else { return missing(action) }
        if let refusal = kind.lookupRefusal(of: action, attempt: attempt) { return refusal.answer }
        return .json(200, action.number % 2 == 1 ? ["data": fields] : fields)
    }

    /// Starts a run: of a bulk read, the page that `inputs` (or else the action's id) and `page` name; of anything
    /// else, a success.
    private func submit(to action: CodedID, _ body: [UInt8]) async -> Answer {
        let submission = Submission(body)
        let cursor = submission?.data.page
        let isBulkRead = action.actionKind?.actionType == "read_bulk" || cursor != nil
        let page = isBulkRead ? submission?.chain(of: action).at(cursor: cursor ?? "0") : nil
        let request = SubmissionLedger.Request(
            action: action, page: page, cursor: cursor, inputsHash: Submission.inputsHash(body))
        if let refusal = refusal(of: action, submission, isPageUnknown: isBulkRead && page == nil) {
            await state.refused(request)
            return refusal
        }
        let outcome = await state.submitted(request)
        if outcome.isTroubled, let answer = page.flatMap({ StartAnswers.troubled($0, run: outcome.run) }) {
            return answer
        }
        return outcome.run.map(StartAnswers.started) ?? Answer(status: 500)
    }

    private func refusal(of action: CodedID, _ submission: Submission?, isPageUnknown: Bool) -> Answer? {
        guard let kind = action.actionKind else { return missing(action) }
        if let refusal = kind.startRefusal(of: action) { return refusal.answer }
        if submission == nil {
            return APIError.badRequest("The body must be {\"data\": {\"inputs\": {...}, \"page\": \"...\"}}.").answer
        }
        return isPageUnknown ? APIError.badRequest("This page was never given out.").answer : nil
    }

    private func missing(_ action: CodedID) -> Answer {
        APIError.notFound(pointer: "/stored-actions/\(action)").answer
    }

    private func token(_ call: Call, at now: Date) async -> Answer {
        switch await state.issueToken(form: call.form, basic: call.basicCredentials, at: now) {
        case .success(let grant):
            var fields: [(String, JSON)] = [
                ("access_token", .string(grant.accessToken)), ("token_type", "Bearer"),
                ("expires_in", .int(grant.expiresIn)), ("scope", "external"),
            ]
            if let refreshToken = grant.refreshToken { fields.append(("refresh_token", .string(refreshToken))) }
            return .json(200, .object(fields))
        case .failure(let refusal):
            return .json(refusal.status, ["error": .string(refusal.rawValue)])
        }
    }
}
